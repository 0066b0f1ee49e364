//! Files that Confluent's registry has built in, as far as records need them: schemas that its tools generate
//! import them, and the registry lists no reference for them.

const META: &str = r#"
syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Meta {
  string doc = 1;
  map<string, string> params = 2;
  repeated string tags = 3;
}
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
"#;

const DECIMAL: &str = r#"
syntax = "proto3";
package confluent.type;
message Decimal {
  bytes value = 1;
  uint32 precision = 2;
  int32 scale = 3;
}
"#;

/// A file by the name that it is imported by.
pub(super) fn file(name: &str) -> Option<&'static str> {
    match name {
        "confluent/meta.proto" => Some(META),
        "confluent/type/decimal.proto" => Some(DECIMAL),
        _ => None,
    }
}
