//! Statements of a connection, in both forms of the protocol.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use arrow_pg::datatypes::{arrow_schema_to_pg_fields, into_pg_type};
use async_trait::async_trait;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ParamValues, ScalarValue};
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion_postgres::QueryHook;
use datafusion_postgres::hooks::HookClient;
use datafusion_postgres::hooks::set_show::SetShowHook;
use datafusion_postgres::hooks::transactions::TransactionStatementHook;
use futures::Sink;
use metricc_sql::PointRead;
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{FieldInfo, QueryResponse, Response, Tag};
use pgwire::api::stmt::{QueryParser, StoredStatement};
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, Type};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::TransactionStatus;
use pgwire::types::format::FormatOptions;

use crate::connection::Connection;
use crate::copy_out::CopyOut;
use crate::cursors::is_of_cursors;
use crate::errors::{code, error, of_reader, of_statement};
use crate::parsing::Texts;
use crate::read_only;
use crate::reading::Reading;
use crate::rows::{Allowance, Rows, answer_of};
use crate::tables_of_plan::at_now;

/// Where `SET statement_timeout` is kept, in milliseconds.
const STATEMENT_TIMEOUT: &str = "statement_timeout_ms";

/// A statement that was prepared: its text, and what it was parsed to. Cursors are kept in this form as well.
type Prepared = (String, Option<(Statement, LogicalPlan)>);

/// Answers the statements of a connection.
pub(crate) struct Statements {
    connection: Arc<Connection>,
    parser: Arc<Parser>,
    hooks: Arc<[Arc<dyn QueryHook>]>,
    points: PointReads,
}

impl Statements {
    pub(crate) fn new(connection: &Arc<Connection>) -> Self {
        let hooks: [Arc<dyn QueryHook>; 2] = [Arc::new(SetShowHook), Arc::new(TransactionStatementHook)];
        let hooks: Arc<[_]> = Arc::new(hooks);
        let parser = Parser { connection: connection.clone(), parser: Texts::new(), hooks: hooks.clone() };
        Statements {
            connection: connection.clone(),
            parser: Arc::new(parser),
            hooks,
            points: PointReads::default(),
        }
    }

    /// The session of a statement that begins. Outside of a transaction, the cursors of one have ended.
    async fn begin(&self, client: &(impl ClientInfo + ?Sized)) -> PgWireResult<&SessionContext> {
        let status = client.transaction_status();
        if status == TransactionStatus::Idle {
            self.connection.cursors.end().await;
        }
        self.connection.begin(status)
    }

    /// What a statement of this client may take from now on.
    fn allowance(
        &self,
        client: &(impl ClientInfo + ?Sized),
        mut reading: Reading,
    ) -> PgWireResult<Allowance> {
        let limits = self.connection.door.limits();
        let wished = client.metadata().get(STATEMENT_TIMEOUT).and_then(|text| text.parse().ok());
        let wished = wished.filter(|millis| *millis > 0).map(Duration::from_millis);
        let timeout = wished.map_or(limits.statement_timeout, |wished| wished.min(limits.statement_timeout));
        let place = self.connection.reader()?.place().map_err(|failed| of_reader(&failed));
        let _place = reading.noted(place)?;
        let cancel = self.connection.cancel.clone();
        Ok(Allowance { timeout, max_rows: limits.max_rows, _place, reading, cancel })
    }
}

impl Statements {
    /// The answer to a statement that needs no plan; `None` if it needs one.
    fn point(
        &self,
        client: &(impl ClientInfo + ?Sized),
        portal: &Portal<Prepared>,
        parameters: &ParamValues,
    ) -> PgWireResult<Option<QueryResponse>> {
        let (text, Some((_, plan))) = &portal.statement.statement else { return Ok(None) };
        let Some(point) = self.points.of(text, plan) else { return Ok(None) };
        let tables = self.connection.tables();
        let Some(table) = tables.metrics.iter().find(|table| table.row_type().name == point.metric()) else {
            return Ok(None);
        };
        let values: Vec<ScalarValue> = match parameters {
            ParamValues::List(values) => values.iter().map(|value| value.value().clone()).collect(),
            ParamValues::Map(_) => return Ok(None),
        };
        let rows = point.read(table, &values).map_err(|failed| of_statement(&failed))?;
        let most = self.connection.door.limits().max_rows;
        let Some(rows) = rows.filter(|rows| rows.num_rows() as u64 <= most) else {
            return Ok(None);
        };
        let mut reading = self.connection.reading(text)?;
        reading.reads(point.metric());
        let mut allowance = self.allowance(client, reading)?;
        let options = FormatOptions::from_client_metadata(client.metadata());
        answer_of(rows, &portal.result_column_format, options, Some(&mut allowance.reading)).map(Some)
    }

    /// Writes the rows of a query to the client.
    async fn copy<C>(
        &self,
        context: &SessionContext,
        client: &mut C,
        copy: &CopyOut,
        mut reading: Reading,
    ) -> PgWireResult<Tag>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let [query] = &parsed(&self.parser.parser, &copy.query)?[..] else {
            return Err(error(code::SYNTAX, "COPY takes one query, or the name of a table"));
        };
        let plan = reading.noted(planned(context, query).await)?;
        let rows = Rows::open(context, plan, self.allowance(client, reading)?).await?;
        copy.send(rows, client).await
    }

    /// Answers a statement about cursors.
    async fn cursor(
        &self,
        context: &SessionContext,
        client: &mut dyn HookClient,
        statement: &Statement,
        (format, options): (&Format, FormatOptions),
        mut allowance: Allowance,
    ) -> PgWireResult<Response> {
        let cursors = &self.connection.cursors;
        match statement {
            Statement::Declare { stmts } => {
                let problem = || error(code::SYNTAX, "write DECLARE name CURSOR FOR a SELECT");
                let [declared] = &stmts[..] else { return Err(problem()) };
                let (Some(name), Some(query)) = (declared.names.first(), &declared.for_query) else {
                    return Err(problem());
                };
                let query = Statement::Query(query.clone());
                let plan = allowance.reading.noted(planned(context, &query).await)?;
                let rows = Rows::open(context, plan.clone(), allowance).await?;
                cursors.open(name, rows).await?;
                // Drivers ask for the columns of a cursor as of a portal of that name.
                let prepared = (query.to_string(), Some((query, plan)));
                let prepared = Arc::new(StoredStatement::new(name.value.clone(), prepared, Vec::new()));
                let portal = Portal::new_cursor(name.value.clone(), prepared);
                client.portal_store().put_portal(Arc::new(portal));
                Ok(Response::Execution(Tag::new("DECLARE CURSOR")))
            }
            Statement::Fetch { name, direction, .. } => {
                let rows = cursors.fetch(name, direction).await?;
                let mut answer = answer_of(rows, format, options, None)?;
                answer.set_command_tag("FETCH");
                Ok(Response::Query(answer))
            }
            Statement::Close { cursor } => {
                cursors.close(cursor).await?;
                Ok(Response::Execution(Tag::new("CLOSE CURSOR")))
            }
            other => Err(error(code::SYNTAX, format!("{other} is not about a cursor"))),
        }
    }
}

/// Statements of a connection that need no plan, by their texts.
#[derive(Debug, Default)]
struct PointReads(Mutex<HashMap<String, Option<Arc<PointRead>>>>);

/// Texts that are remembered of a connection.
const MOST_TEXTS: usize = 256;

impl PointReads {
    fn of(&self, text: &str, plan: &LogicalPlan) -> Option<Arc<PointRead>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(point) = known.get(text) {
            return point.clone();
        }
        if known.len() >= MOST_TEXTS {
            known.clear();
        }
        let point = PointRead::of(plan).map(Arc::new);
        known.insert(text.to_owned(), point.clone());
        point
    }
}

async fn planned(context: &SessionContext, statement: &Statement) -> PgWireResult<LogicalPlan> {
    let statement = DfStatement::Statement(Box::new(statement.clone()));
    context.state().statement_to_plan(statement).await.map_err(|failed| of_statement(&failed))
}

#[async_trait]
impl SimpleQueryHandler for Statements {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statements = parsed(&self.parser.parser, query)?;
        if statements.is_empty() {
            return Ok(vec![Response::EmptyQuery]);
        }
        let context = self.begin(client).await?;
        let mut responses = Vec::with_capacity(statements.len());
        let is_alone = statements.len() == 1;
        'statements: for statement in statements {
            let own = if is_alone { query.to_owned() } else { statement.to_string() };
            let mut reading = self.connection.reading(&own)?;
            reading.noted(read_only::check(&statement))?;
            if let Some(copy) = reading.noted(CopyOut::of(&statement))? {
                if !is_alone {
                    return Err(error(code::SYNTAX, "COPY is sent as a statement of its own"));
                }
                let tag = self.copy(context, client, &copy, reading).await?;
                responses.push(Response::Execution(tag));
                continue;
            }
            if let Some(tag) = read_only::without_effect(&statement) {
                responses.push(Response::Execution(Tag::new(tag)));
                continue;
            }
            for hook in self.hooks.iter() {
                if let Some(response) = hook.handle_simple_query(&statement, context, client).await {
                    responses.push(response?);
                    continue 'statements;
                }
            }
            let options = FormatOptions::from_client_metadata(client.metadata());
            if is_of_cursors(&statement) {
                let format = (&Format::UnifiedText, options);
                let allowance = self.allowance(client, reading)?;
                responses.push(self.cursor(context, client, &statement, format, allowance).await?);
                continue;
            }
            let plan = reading.noted(planned(context, &statement).await)?;
            let rows = Rows::open(context, plan, self.allowance(client, reading)?).await?;
            responses.push(Response::Query(rows.answer(&Format::UnifiedText, options)?));
        }
        self.connection.cancel.watch(client).await;
        Ok(responses)
    }
}

#[async_trait]
impl ExtendedQueryHandler for Statements {
    type Statement = Prepared;
    type QueryParser = Parser;

    fn query_parser(&self) -> Arc<Parser> {
        self.parser.clone()
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<Prepared>,
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (text, Some((statement, plan))) = &portal.statement.statement else {
            return Ok(Response::EmptyQuery);
        };
        if let Some(tag) = read_only::without_effect(statement) {
            return Ok(Response::Execution(Tag::new(tag)));
        }
        let context = self.begin(client).await?;
        if let Some(copy) = CopyOut::of(statement)? {
            let reading = self.connection.reading(text)?;
            return Ok(Response::Execution(self.copy(context, client, &copy, reading).await?));
        }
        let parameters = parameters(portal, plan)?;
        for hook in self.hooks.iter() {
            let response = hook.handle_extended_query(statement, plan, &parameters, context, client).await;
            if let Some(response) = response {
                return response;
            }
        }
        if is_of_cursors(statement) {
            let options = FormatOptions::from_client_metadata(client.metadata());
            let format = (&portal.result_column_format, options);
            let allowance = self.allowance(client, self.connection.reading(text)?)?;
            return self.cursor(context, client, statement, format, allowance).await;
        }
        if let Some(rows) = self.point(client, portal, &parameters)? {
            return Ok(Response::Query(rows));
        }
        let mut reading = self.connection.reading(text)?;
        let plan = reading.noted(at_now(plan.clone(), &self.connection.tables()))?;
        let plan = plan.replace_params_with_values(&parameters).map_err(|failed| of_statement(&failed));
        let plan = reading.noted(plan)?;
        let options = FormatOptions::from_client_metadata(client.metadata());
        let rows = Rows::open(context, plan, self.allowance(client, reading)?).await?;
        let answer = rows.answer(&portal.result_column_format, options)?;
        self.connection.cancel.watch(client).await;
        Ok(Response::Query(answer))
    }
}

/// Prepares statements.
pub(crate) struct Parser {
    connection: Arc<Connection>,
    parser: Texts,
    hooks: Arc<[Arc<dyn QueryHook>]>,
}

#[async_trait]
impl QueryParser for Parser {
    type Statement = Prepared;

    async fn parse_sql<C>(
        &self,
        client: &C,
        sql: &str,
        _types: &[Option<Type>],
    ) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let mut statements = parsed(&self.parser, sql)?.into_iter();
        let (Some(statement), None) = (statements.next(), statements.next()) else {
            return match statements.len() {
                0 if sql.trim().trim_end_matches(';').is_empty() => Ok(None),
                _ => Err(error(code::SYNTAX, "cannot insert multiple commands into a prepared statement")),
            };
        };
        // What is prepared has not read anything yet; what is refused has a line.
        let mut reading = self.connection.reading(sql)?;
        reading.noted(read_only::check(&statement))?;
        let context = self.connection.begin(client.transaction_status())?;
        for hook in self.hooks.iter() {
            if let Some(plan) = hook.handle_extended_parse_query(&statement, context, client).await {
                return Ok(Some((sql.to_owned(), Some((statement, plan?)))));
            }
        }
        let plan = match &statement {
            Statement::Fetch { name, .. } => {
                let schema = self.connection.cursors.schema(name).await?;
                let schema = DFSchema::try_from(schema).map_err(|failed| of_statement(&failed))?;
                let produce_one_row = false;
                LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row, schema: Arc::new(schema) })
            }
            other if is_of_cursors(other) || read_only::without_effect(other).is_some() => {
                LogicalPlan::default()
            }
            other if CopyOut::of(other)?.is_some() => LogicalPlan::default(),
            other => reading.noted(planned(context, other).await)?,
        };
        Ok(Some((sql.to_owned(), Some((statement, plan)))))
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        let (_, Some((_, plan))) = prepared else { return Ok(Vec::new()) };
        parameter_types(plan)?.into_iter().map(|ty| wire_type(ty.as_ref())).collect()
    }

    fn get_result_schema(
        &self,
        prepared: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let (_, Some((_, plan))) = prepared else { return Ok(Vec::new()) };
        arrow_schema_to_pg_fields(plan.schema().as_arrow(), format.unwrap_or(&Format::UnifiedText), None)
    }
}

fn parsed(parser: &Texts, text: &str) -> PgWireResult<Vec<Statement>> {
    parser.parse(text).map_err(|failed| error(code::SYNTAX, failed.to_string()))
}

/// The types of `$1`, `$2` and so on, as far as the statement tells.
fn parameter_types(plan: &LogicalPlan) -> PgWireResult<Vec<Option<DataType>>> {
    let types = plan.get_parameter_types().map_err(|failed| of_statement(&failed))?;
    let number = |name: &str| name.trim_start_matches('$').parse::<usize>().ok();
    let mut numbered: Vec<(usize, Option<DataType>)> =
        types.into_iter().filter_map(|(name, ty)| Some((number(&name)?, ty))).collect();
    numbered.sort_unstable_by_key(|(number, _)| *number);
    Ok(numbered.into_iter().map(|(_, ty)| ty).collect())
}

fn wire_type(ty: Option<&DataType>) -> PgWireResult<Type> {
    ty.map_or(Ok(Type::UNKNOWN), into_pg_type)
}

/// The values of a statement's parameters.
fn parameters(portal: &Portal<Prepared>, plan: &LogicalPlan) -> PgWireResult<ParamValues> {
    let inferred = parameter_types(plan)?;
    let wire = inferred.iter().map(|ty| wire_type(ty.as_ref())).collect::<PgWireResult<Vec<Type>>>()?;
    let inferred: Vec<Option<&DataType>> = inferred.iter().map(Option::as_ref).collect();
    let wire: Vec<Option<&Type>> = wire.iter().map(Some).collect();
    deserialize_parameters_with_server_types(portal, &inferred, &wire)
}
