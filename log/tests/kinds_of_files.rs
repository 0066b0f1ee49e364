//! Files of other kinds than their names say, of other shapes, in folders that say something, and hostile
//! ones.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int64Array, Int64Builder, ListArray, MapBuilder, StringBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field as ArrowField, Fields};
use common::*;
use metricc_ir::{Field, Kind, Path, RecordField, Source, Step, Type};
use metricc_log::{
    Binding, BodyFormat, BodyLimits, EventDecoder, FileOptions, FileRequests, Log, LogError, RejectionGroup,
    absent_fields, undeclared_names,
};

fn events() -> Arc<Source> {
    source(vec![field("id", int()), field("c", optional(Type::of(Kind::String)))])
}

fn opened(folder: &Folder, name: &str, options: &[(&str, &str)]) -> Result<Log, LogError> {
    let mut file_options = FileOptions::default();
    options.iter().for_each(|(option, value)| file_options.set(option, value).unwrap());
    let path = folder.path().join(name).to_string_lossy().into_owned();
    Log::open(&events(), &Binding { options: file_options, ..Binding::new(path) })
}

/// The ids of a file's records, and the texts of what was rejected.
fn read_file(name: &str, content: impl AsRef<[u8]>, options: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let folder = Folder::new();
    folder.write(name, content);
    let (rows, stats) = read_all(&opened(&folder, name, options).unwrap());
    let groups =
        stats.rejections.groups().into_iter().map(|group: &RejectionGroup| group.first.problem.clone());
    (rows.into_iter().map(|row| row[0].clone()).collect(), groups.collect())
}

fn refused(name: &str, content: impl AsRef<[u8]>, options: &[(&str, &str)]) -> (String, String) {
    let folder = Folder::new();
    folder.write(name, content);
    let error = opened(&folder, name, options).unwrap_err();
    (error.to_string(), error.help().unwrap_or_default())
}

fn utf_16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn files_of_another_kind_are_refused_with_what_they_are_and_the_way_out() {
    for (name, content, found, help) in [
        ("a.ndjson", b"[\n{\"id\":1},\n{\"id\":2}\n]\n".to_vec(), "a JSON array", "format=json"),
        ("a.ndjson", b"{\n  \"id\": 1\n}\n".to_vec(), "over several lines", "format=json"),
        ("a.ndjson", utf_16("{\"id\":1}\n"), "UTF-16LE text", "iconv -f UTF-16LE"),
        ("a.csv", utf_16("id,c\n1,x\n"), "UTF-16LE text", "iconv -f UTF-16LE"),
        ("a.csv", b"\xef\xbb\xbfid;c\r\n1;x\r\n".to_vec(), "`;` between its cells", "delimiter=;"),
        ("a.csv", b"id\tc\n1\tx\n".to_vec(), "`tab` between its cells", "delimiter=tab"),
        ("a.csv", b"\"x\";\"y\"\n\"1\";\"2\"\n".to_vec(), "`;` between its cells", "delimiter=;"),
        ("a.csv", b"id,c\r1,x\r2,y\r".to_vec(), "CR alone", "tr "),
        ("a.csv", b"PAR1\x15".to_vec(), "a Parquet file", "format=parquet"),
        ("a.csv", b"PK\x03\x04".to_vec(), "ZIP", "export"),
        ("a.csv", b"{\"id\":1}\n".to_vec(), "JSON", "format=ndjson"),
    ] {
        let (error, way_out) = refused(name, &content, &[]);
        assert!(error.contains(name) && error.contains(found), "{error}");
        assert!(way_out.contains(help), "{error}: {way_out}");
    }
}

#[test]
fn what_is_said_of_a_file_is_done() {
    let ids = |name, content: &[u8], options: &[(&str, &str)]| read_file(name, content, options).0;
    assert_eq!(ids("a.csv", b"id;c\n1;\"x;y\"\n2;z\n", &[("delimiter", ";")]), ["1", "2"]);
    assert_eq!(ids("a.tsv", b"id\tc\n1\tx,y\n", &[]), ["1"]);
    assert_eq!(ids("a.txt", b"id\tc\n1\tx\n", &[("format", "tsv")]), ["1"]);
    assert_eq!(ids("a.log", b"[{\"id\":1},{\"id\":2}]", &[("format", "json")]), ["1", "2"]);
    assert_eq!(ids("a.json", b"{\n\"id\": 1\n}\n{\"id\":\n2}\n", &[]), ["1", "2"]);
    assert_eq!(ids("a.json", b"{\"id\":1}\n{\"id\":2}\n", &[]), ["1", "2"]);
    assert_eq!(ids("a.json", b"\xef\xbb\xbf [ {\"id\": 1} ]", &[]), ["1"]);
}

#[test]
fn one_bad_record_takes_no_other_with_it() {
    let (ids, problems) = read_file("a.csv", "id,c\n1,\"x\n2,\"y\"\n3,z\n", &[]);
    assert_eq!(ids, ["2", "3"]);
    assert!(problems[0].contains("a quote is opened and not closed"), "{problems:?}");
    let (ids, problems) = read_file("a.json", "[{\"id\":1},{\"id\":x},[],{\"id\":4}]", &[]);
    assert_eq!((ids, problems.len()), (vec!["1".to_owned(), "4".to_owned()], 2));
    // Where brackets do not match, there is no telling which records there are.
    let (error, _) = refused("a.json", "[{\"id\":1},\n{\"id\":2,\n{\"id\":3}]", &[]);
    assert!(error.contains("a.json") && error.contains("line 2: it ends in the middle"), "{error}");
}

#[test]
fn compressed_files_are_told_by_their_contents() {
    let text = b"{\"id\":1}\n{\"id\":2}\n";
    let packed = zstd::encode_all(&text[..], 1).unwrap();
    for (name, content) in
        [("a.ndjson.zst", &packed[..]), ("a.ndjson", &packed), ("a.json.gz", &packed), ("a.jsonl.gz", text)]
    {
        assert_eq!(read_file(name, content, &[]).0, ["1", "2"], "{name}");
    }
    let (error, _) = refused("a.ndjson.zst", &packed[..packed.len() - 3], &[]);
    assert!(error.contains("not a valid zstd file"), "{error}");
    let mut corrupt = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    corrupt.write_all(text).unwrap();
    let mut corrupt = corrupt.finish().unwrap();
    let sum = corrupt.len() - 8;
    corrupt[sum] ^= 1;
    let (error, _) = refused("a.ndjson.gz", &corrupt, &[]);
    assert!(error.contains("not a valid gzip file"), "{error}");
    let folder = Folder::new();
    folder.parquet("a.parquet", vec![("id", Arc::new(Int64Array::from(vec![7])))], 10);
    let parquet = std::fs::read(folder.path().join("a.parquet")).unwrap();
    assert_eq!(read_file("b.parquet.zst", zstd::encode_all(&parquet[..], 1).unwrap(), &[]).0, ["7"]);
}

/// A gigabyte of blanks in about a megabyte, in a file that is itself a few kilobytes.
#[test]
fn what_becomes_too_long_is_refused() {
    let folder = Folder::new();
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    let blanks = vec![b' '; 16 << 20];
    for _ in 0..70 {
        encoder.write_all(&blanks).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    folder.write("a.ndjson.zst", bomb);
    let error = opened(&folder, "a.ndjson.zst", &[]).unwrap_err();
    assert!(error.to_string().contains("more than 1000 times as long"), "{error}");
}

#[test]
fn folders_say_what_their_files_do_not() {
    let folder = Folder::new();
    for below in ["c=D%20E", "c=__HIVE_DEFAULT_PARTITION__", "c=FR"] {
        std::fs::create_dir_all(folder.path().join(format!("t/{below}/day=2026-01-01"))).unwrap();
    }
    folder.parquet(
        "t/c=D%20E/day=2026-01-01/a.parquet",
        vec![("id", Arc::new(Int64Array::from(vec![1])))],
        10,
    );
    folder.write("t/c=D%20E/day=2026-01-01/b.csv", "id\n2\n");
    folder.write("t/c=D%20E/day=2026-01-01/c.ndjson", "{\"id\":3}\n{\"id\":4,\"c\":\"own\"}\n");
    folder.write("t/c=__HIVE_DEFAULT_PARTITION__/day=2026-01-01/d.csv", "id\n5\n");
    folder.write("t/c=FR/day=2026-01-01/e.csv", "id,c\n6,\n7,own\n");
    let wanted =
        [["1", "D E"], ["2", "D E"], ["3", "D E"], ["4", "own"], ["6", "FR"], ["7", "own"], ["5", "∅"]];
    for name in ["t", "t/*/*/*"] {
        let log = opened(&folder, name, &[]).unwrap();
        let (rows, stats) = read_all(&log);
        assert_eq!(rows, wanted, "{name}");
        assert!(stats.fields.iter().all(|field| field.seen), "{name}");
        assert_eq!(undeclared_names(log.source(), &log.names()), ["day"]);
    }
    let numbers = source(vec![field("id", int()), field("c", int())]);
    let error = Log::open(&numbers, &Binding::new(folder.path().join("t").to_string_lossy())).unwrap_err();
    assert!(error.to_string().contains("the folder `c=D E`"), "{error}");
    let needed = source(vec![field("id", int()), field("c", Type::of(Kind::String))]);
    let below = folder.path().join("t/c=__HIVE_DEFAULT_PARTITION__");
    let error = Log::open(&needed, &Binding::new(below.to_string_lossy())).unwrap_err();
    assert!(error.to_string().contains("it says none, and `string` is not optional"), "{error}");
}

#[test]
fn fields_that_no_record_has_are_not_seen_and_names_beside_them_are() {
    let folder = Folder::new();
    folder.write("a.ndjson", "{\"id\":1,\"C\":\"x\"}\n{\"id\":2,\"c\":null,\"d\":1}\n".repeat(3));
    folder.write("b.csv", "id,Cc\n1,x\n");
    let (_, stats) = read_all(&opened(&folder, "b.csv", &[]).unwrap());
    assert_eq!(stats.fields.iter().map(|field| field.seen).collect::<Vec<_>>(), [true, false]);
    let log = opened(&folder, "", &[]).unwrap();
    let (_, stats) = read_all(&log);
    assert_eq!(stats.fields.iter().map(|field| field.seen).collect::<Vec<_>>(), [true, true]);
    assert_eq!(undeclared_names(log.source(), &log.names()), ["C", "Cc", "d"]);
}

/// A field at a path.
fn at(name: &str, steps: &[&str]) -> Field {
    let steps = steps.iter().map(|step| Step::Name((*step).to_owned())).collect();
    Field { path: Path::new(steps), ..field(name, optional(int())) }
}

/// Fields that are read by names and paths, and a list of records.
fn by_paths() -> Arc<Source> {
    let parts = vec![field("sku", int()), at("price", &["Price"]), at("vat", &["tax", "vat"])];
    let of = |part: &Field| RecordField { name: part.name.clone(), ty: part.ty.clone() };
    let items = Type::of(Kind::Record(parts.iter().map(of).collect()));
    let items = Field { fields: parts, ..field("items", optional(list(items))) };
    source(vec![
        field("id", int()),
        at("user", &["user_id"]),
        at("total", &["props", "total"]),
        at("seen", &["props", "seen"]),
        items,
    ])
}

/// The fields that no record of a log has, and what is meant by each.
fn absent(log: &Log) -> Vec<(String, Option<String>)> {
    let (_, stats) = read_all(log);
    let absent = absent_fields(log.source(), &stats, &log.names());
    absent.into_iter().map(|absent| (absent.field, absent.lookalike)).collect()
}

fn pairs(found: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    let lookalike = |path: &str| (!path.is_empty()).then(|| path.to_owned());
    found.iter().map(|(field, path)| ((*field).to_owned(), lookalike(path))).collect()
}

#[test]
fn paths_that_no_record_has_are_told_with_what_stands_beside_them() {
    let folder = Folder::new();
    let record =
        r#"{"id":1,"userId":2,"props":{"Total":3,"seen":null},"items":[{"sku":1,"price":2,"Tax":{}}]}"#;
    folder.write("a.ndjson", format!("{record}\n"));
    folder.write("b.json", format!("[{record},\n{record}]"));
    let wanted =
        [("user", "userId"), ("total", "props.Total"), ("items.price", "price"), ("items.vat", "Tax.vat")];
    for name in ["a.ndjson", "b.json"] {
        let log = open(&by_paths(), &folder.path().join(name)).unwrap();
        assert_eq!(absent(&log), pairs(&wanted), "{name}");
    }
    // What a list without records has is not known.
    folder.write("c.ndjson", "{\"id\":1,\"user_id\":2,\"props\":{\"total\":1,\"seen\":2},\"items\":[]}\n");
    assert_eq!(absent(&open(&by_paths(), &folder.path().join("c.ndjson")).unwrap()), []);
}

#[test]
fn paths_that_no_row_of_parquet_has_are_told() {
    let folder = Folder::new();
    let ints = || Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
    let structs = |names: &[&str]| {
        let fields: Fields = names.iter().map(|name| ArrowField::new(*name, int_type(), true)).collect();
        StructArray::new(fields, names.iter().map(|_| ints()).collect(), None)
    };
    let items = structs(&["sku", "price"]);
    let item = Arc::new(ArrowField::new("item", items.data_type().clone(), true));
    let items = ListArray::new(item, OffsetBuffer::from_lengths([1, 1]), Arc::new(items), None);
    let columns = |props: ArrayRef| {
        vec![
            ("id", ints()),
            ("userId", ints()),
            ("props", props),
            ("items", Arc::new(items.clone()) as ArrayRef),
        ]
    };
    let wanted = [("user", "userId"), ("total", "props.Total"), ("items.price", "price"), ("items.vat", "")];
    let path = folder.parquet("a.parquet", columns(Arc::new(structs(&["Total", "seen"]))), 10);
    assert_eq!(absent(&open(&by_paths(), &path).unwrap()), pairs(&wanted));
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for key in ["Total", "seen"] {
        map.keys().append_value(key);
        map.values().append_value(3);
        map.append(true).unwrap();
    }
    let path = folder.parquet("b.parquet", columns(Arc::new(map.finish())), 10);
    assert_eq!(absent(&open(&by_paths(), &path).unwrap()), pairs(&wanted));
}

fn int_type() -> arrow::datatypes::DataType {
    arrow::datatypes::DataType::Int64
}

#[test]
fn records_inside_of_something_are_told_with_where_they_are() {
    let record = r#"{"id":1,"c":"a"}"#;
    let wrapped = format!("{{\"n\":2,\"data\":[{record},{record}]}}");
    let pretty = format!("{{\n  \"data\": [\n    {record},\n    {record}\n  ]\n}}\n");
    let long = format!("{{\"data\":[{}]}}", vec![record; 100_000].join(","));
    let kind = "JSON with the records in an array inside of it, `.data[]`";
    for (name, content) in [
        ("a.ndjson", &wrapped),
        ("a.json", &wrapped),
        ("a.json", &pretty),
        ("a.ndjson", &pretty),
        ("a.ndjson", &format!("{wrapped}\n{wrapped}\n")),
        ("a.json", &format!("[{wrapped},{wrapped}]")),
        ("a.ndjson", &long),
        ("a.json", &long),
    ] {
        let (error, help) = refused(name, content, &[]);
        assert!(error.ends_with(kind), "{name}: {error}");
        assert!(help.contains("`jq -c '.data[]' OLD > NEW.ndjson`"), "{help}");
    }
    // A single such record among others is just one that does not decode.
    let (ids, rejected) = read_file("a.ndjson", format!("{wrapped}\n{record}\n"), &[]);
    assert_eq!((ids.len(), rejected.len()), (1, 1));
    let (_, help) = refused("a.ndjson", format!("{{\"payload\":{record}}}\n"), &[]);
    assert_eq!(help, "read the fields by paths, such as `id: int from payload.id`");
}

#[test]
fn bodies_and_requests_of_wrapped_records_are_refused() {
    let record = r#"{"id":1,"c":"a"}"#;
    let wrapped = format!("{{\"data\":[{record},{record}]}}");
    let decoder = EventDecoder::new(&events()).unwrap();
    let limits = BodyLimits { records: 10, bytes: 1 << 20 };
    let kind = "it is JSON with the records in an array inside of it, `.data[]`: write them one a line: `jq";
    for (format, body) in [
        (BodyFormat::Ndjson, wrapped.clone()),
        (BodyFormat::Json, wrapped.clone()),
        (BodyFormat::Json, format!("[{wrapped}]")),
    ] {
        let error = decoder.decode(format, body.as_bytes(), &limits).unwrap_err();
        assert!(error.to_string().contains(kind), "{error}");
    }
    let mixed = format!("{wrapped}\n{record}");
    assert_eq!(decoder.decode(BodyFormat::Ndjson, mixed.as_bytes(), &limits).unwrap().rejected().len(), 1);
    let folder = Folder::new();
    let path = folder.write("a.json", format!("{{\"data\":[{}]}}", vec![record; 100_000].join(",")));
    let mut requests = FileRequests::open(&path, &FileOptions::default(), 10).unwrap();
    let error = requests.next_request().unwrap_err();
    assert!(error.to_string().contains("in an array inside of it"), "{error}");
}

#[test]
fn a_file_of_a_table_that_is_not_as_long_as_its_log_says_is_refused() {
    let folder = Folder::new();
    let path =
        folder.parquet("a.parquet", vec![("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)], 10);
    std::fs::create_dir(folder.path().join("_delta_log")).unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    let log = |size: &str| {
        let add = format!("{{\"add\":{{\"path\":\"a.parquet\",\"partitionValues\":{{}}{size}}}}}\n");
        folder.write("_delta_log/00000000000000000000.json", add);
    };
    let ids = source(vec![field("id", int())]);
    for stated in [format!(",\"size\":{size}"), String::new()] {
        log(&stated);
        assert_eq!(read_all(&folder.open(&ids).unwrap()).0.len(), 2);
    }
    log(&format!(",\"size\":{}", size + 7));
    let error = folder.open(&ids).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("a.parquet` has {size} bytes, and the log of its table says {}", size + 7)),
        "{error}"
    );
    assert!(error.help().is_some());
}
