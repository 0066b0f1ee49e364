//! Random typed rows, written in every format and every spelling that their source declares, are read back as
//! they were; and texts that are nearly right are judged as the interpreter's own reader judges them.

mod cases;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Field as Column, Float64Type, Int32Type, Int64Type, Schema,
};
use arrow::ipc::writer::StreamWriter;
use metricc_ir::{Field, Kind, Source, Value};
use metricc_log::{Binding, BodyFormat, BodyLimits, EventDecoder, Events, Interval, Log};
use metricc_tests::generate::{self, Random, spelled};
use metricc_tests::oracle::read_text;
use parquet::arrow::ArrowWriter;
use rand::Rng;

const N_SOURCES: u64 = 60;
const N_ROWS: usize = 40;

/// A cell: nothing, or a text.
type Texts = Vec<Vec<Option<String>>>;

fn source_of(fields: &[Field]) -> Arc<Source> {
    let text = spelled::text(fields);
    let file = metricc_dsl::SourceText { name: "s.metric".into(), bytes: text.clone().into_bytes() };
    let checked = metricc_dsl::check(&file);
    assert!(!checked.has_errors(), "{}\n{text}", metricc_dsl::render::short(&checked.diagnostics, &file));
    let source = checked.package.sources[0].clone();
    assert_eq!(source.fields, fields, "{text}");
    source
}

fn csv(source: &Source, texts: &Texts) -> String {
    let names: Vec<&str> = source.fields.iter().map(|field| field.name.as_str()).collect();
    let mut csv = names.join(",") + "\n";
    for row in texts {
        let cells = row.iter().map(|cell| match cell {
            None => String::new(),
            Some(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        });
        csv += &(cells.collect::<Vec<_>>().join(",") + "\n");
    }
    csv
}

fn json_rows(source: &Source, texts: &Texts) -> Vec<String> {
    let row = |row: &Vec<Option<String>>| {
        let members = source.fields.iter().zip(row).filter_map(|(field, cell)| {
            let text = serde_json::Value::from(cell.as_ref()?.as_str());
            Some(format!("{:?}:{text}", field.name))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    texts.iter().map(row).collect()
}

fn batch(source: &Source, texts: &Texts) -> RecordBatch {
    let columns = (0..source.fields.len()).map(|index| {
        let cells: Vec<Option<&str>> = texts.iter().map(|row| row[index].as_deref()).collect();
        Arc::new(StringArray::from(cells)) as ArrayRef
    });
    let schema = source.fields.iter().map(|field| Column::new(&field.name, DataType::Utf8, true));
    RecordBatch::try_new(Arc::new(Schema::new(schema.collect::<Vec<_>>())), columns.collect())
        .expect("a batch")
}

/// The value of a typed row.
fn value_at(array: &ArrayRef, kind: &Kind, row: usize) -> Value {
    if array.is_null(row) {
        return Value::None;
    }
    match kind {
        Kind::Bool => Value::Bool(array.as_boolean().value(row)),
        Kind::Int => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        Kind::Decimal { .. } => Value::Decimal(array.as_primitive::<Decimal128Type>().value(row)),
        Kind::Float => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        Kind::String => Value::String(array.as_string_view().value(row).to_owned()),
        Kind::Enum(_) => Value::Enum(array.as_primitive::<Int32Type>().value(row).cast_unsigned()),
        Kind::Date => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        Kind::Timestamp => Value::Timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        kind => panic!("no values of `{kind}` are read"),
    }
}

/// The accepted rows of columns.
fn rows(source: &Source, columns: &[ArrayRef]) -> Vec<Vec<Value>> {
    let n_rows = columns.first().map_or(0, |column| column.len());
    let row = |row| {
        source.fields.iter().zip(columns).map(|(field, array)| value_at(array, &field.ty.kind, row)).collect()
    };
    (0..n_rows).map(row).collect()
}

fn of_files(source: &Arc<Source>, folder: &Path) -> Vec<Vec<Value>> {
    let log = Log::open(source, &Binding::new(folder.to_string_lossy())).expect("the log opens");
    let all = Interval::new(log.start(), log.end()).expect("an interval");
    let columns: Vec<usize> = (0..source.fields.len()).collect();
    let mut found = Vec::new();
    for slice in all.slices() {
        for batch in log.read(&slice, &columns, 7).expect("a reader") {
            found.extend(rows(source, batch.expect("a batch").rows.columns()));
        }
    }
    found
}

/// Reads the texts in every format, as files and as bodies of requests.
fn in_every_format(source: &Arc<Source>, texts: &Texts) -> Vec<(&'static str, Vec<Vec<Value>>)> {
    let (csv, json) = (csv(source, texts), json_rows(source, texts));
    let batch = batch(source, texts);
    let in_folder = |name: &str, write: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder.path().join(name));
        of_files(source, folder.path())
    };
    let decoder = EventDecoder::new(source).expect("a decoder");
    let limits = BodyLimits { records: 10_000, bytes: 1 << 24 };
    let body = |format, bytes: &[u8]| {
        let events: Events = decoder.decode(format, bytes, &limits).expect("a body");
        rows(source, events.rows())
    };
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a stream");
    stream.write(&batch).expect("a batch");
    let stream = stream.into_inner().expect("the stream");
    vec![
        ("CSV", in_folder("a.csv", &|path| std::fs::write(path, &csv).expect("a file"))),
        ("NDJSON", in_folder("a.ndjson", &|path| std::fs::write(path, json.join("\n")).expect("a file"))),
        (
            "Parquet",
            in_folder("a.parquet", &|path| {
                let file = std::fs::File::create(path).expect("a file");
                let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
                writer.write(&batch).expect("rows");
                writer.close().expect("a file");
            }),
        ),
        ("CSV body", body(BodyFormat::Csv { delimiter: b',' }, csv.as_bytes())),
        ("JSON body", body(BodyFormat::Json, format!("[{}]", json.join(",")).as_bytes())),
        ("Arrow body", body(BodyFormat::Arrow, &stream)),
    ]
}

/// What reading a value gives: a float that is not finite is none.
fn as_read(value: &Value) -> Value {
    match value {
        Value::Float(value) if !value.is_finite() => Value::None,
        Value::Float(value) => Value::Float(value + 0.0),
        value => value.clone(),
    }
}

fn random_texts(random: &mut Random, fields: &[Field]) -> (Vec<Vec<Value>>, Texts) {
    let mut values = Vec::new();
    let mut texts = Vec::new();
    for _ in 0..N_ROWS {
        let row: Vec<(Value, Option<String>)> = fields
            .iter()
            .map(|field| {
                loop {
                    let value = spelled::value(random, field);
                    let text = spelled::text_of(random, field, &value);
                    // A text may be a spelling of none too; a string cannot then be itself.
                    let is_null = text.as_ref().is_some_and(|text| field.spelling.nulls.contains(text));
                    if value == Value::None || !is_null {
                        break (value, text);
                    }
                }
            })
            .collect();
        values.push(row.iter().map(|(value, _)| as_read(value)).collect());
        texts.push(row.into_iter().map(|(_, text)| text).collect());
    }
    (values, texts)
}

#[test]
fn rows_are_read_back_in_every_format_and_spelling() {
    for seed in 0..N_SOURCES {
        let mut random = generate::random(seed);
        let fields = spelled::fields(&mut random);
        let source = source_of(&fields);
        let (values, texts) = random_texts(&mut random, &fields);
        for (format, found) in in_every_format(&source, &texts) {
            assert_eq!(
                found,
                values,
                "seed {seed}, {format}\n{}\n{}",
                spelled::text(&fields),
                csv(&source, &texts)
            );
        }
    }
}

#[test]
fn texts_that_are_nearly_right_are_judged_as_the_interpreter_judges_them() {
    let (mut n_refused, mut n_read) = (0, 0);
    for seed in 0..N_SOURCES {
        let mut random = generate::random(seed + 1_000_000);
        let fields = spelled::fields(&mut random);
        let source = source_of(&fields);
        let (_, mut texts) = random_texts(&mut random, &fields);
        for row in &mut texts {
            for cell in row.iter_mut().skip(1).flatten() {
                if random.random_bool(0.06) {
                    *cell = spelled::mutated(&mut random, cell);
                }
            }
        }
        let judged = |row: &Vec<Option<String>>| {
            let values = fields.iter().zip(row).map(|(field, cell)| match cell {
                Some(text) => read_text(field, text),
                None => field.ty.optional.then_some(Value::None),
            });
            values.collect::<Option<Vec<Value>>>()
        };
        let expected: Vec<Vec<Value>> = texts.iter().filter_map(judged).collect();
        n_read += expected.len();
        n_refused += texts.len() - expected.len();
        for (format, found) in in_every_format(&source, &texts) {
            assert_eq!(
                found,
                expected,
                "seed {seed}, {format}\n{}\n{}",
                spelled::text(&fields),
                csv(&source, &texts)
            );
        }
    }
    assert!(n_refused > 300 && n_read > 300, "{n_refused} refused, {n_read} read");
}
