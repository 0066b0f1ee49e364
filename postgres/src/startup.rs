//! The beginning of a connection: a token is the password.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{Sink, SinkExt};
use pgwire::api::auth::{
    DefaultServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{
    ClientInfo, ConnectionGuard, ConnectionHandle, ConnectionManager, PgWireConnectionState,
    PidSecretKeyGenerator, RandomPidSecretKeyGenerator,
};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::startup::Authentication;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use crate::connection::Connection;
use crate::errors::{code, fatal};
use crate::functions::SERVER_VERSION;

/// Lets readers in.
pub(crate) struct Startup {
    pub(crate) connection: Arc<Connection>,
    pub(crate) connections: Arc<ConnectionManager>,
}

impl Startup {
    async fn finish<C>(&self, client: &mut C) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (pid, key) = RandomPidSecretKeyGenerator::default().generate(client);
        let (handle, guard) = self.connections.register(pid, key.clone());
        client.set_pid_and_secret_key(pid, key);
        client.session_extensions().insert::<Arc<ConnectionHandle>>(handle);
        client.session_extensions().insert::<ConnectionGuard>(guard);
        let mut parameters = DefaultServerParameterProvider::default();
        SERVER_VERSION.clone_into(&mut parameters.server_version);
        (parameters.is_superuser, parameters.default_transaction_read_only) = (false, true);
        finish_authentication(client, &parameters).await
    }
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match message {
            PgWireFrontendMessage::Startup(ref startup) => {
                protocol_negotiation(client, startup).await?;
                save_startup_parameters_to_metadata(client, startup);
                if self.connection.door.asks_for_token() {
                    client.set_state(PgWireConnectionState::AuthenticationInProgress);
                    let password = PgWireBackendMessage::Authentication(Authentication::CleartextPassword);
                    return Ok(client.send(password).await?);
                }
                if !self.connection.let_in(None) {
                    return Err(fatal(code::INVALID_PASSWORD, "this node lets nobody in"));
                }
                self.finish(client).await
            }
            PgWireFrontendMessage::PasswordMessageFamily(password) => {
                let token = password.into_password()?.password;
                if !self.connection.let_in(Some(&token)) {
                    let problem = "the password is not a token of this node that may read";
                    return Err(fatal(code::INVALID_PASSWORD, problem));
                }
                self.finish(client).await
            }
            _ => Ok(()),
        }
    }
}
