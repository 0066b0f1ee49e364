//! What the records that came in are like, as JSON.

use metricc_log::{NoneReason, NoneValues, RejectionGroup, Rejections};
use serde_json::{Value, json};

/// Values that are none although the records have something there, by field and reason.
pub(super) fn none_values_json(values: &NoneValues) -> Value {
    let value = |(field, reason, count): (&str, NoneReason, u64)| {
        let reason = match reason {
            NoneReason::NotFinite => "not_finite",
            NoneReason::Invalid => "invalid",
        };
        json!({ "field": field, "reason": reason, "count": count })
    };
    values.iter().map(value).collect()
}

/// Rejected records by field and reason, with an example; its offset is that of a record in the request, or
/// in its partition.
pub(super) fn reasons_json(rejections: &Rejections, offset: &str) -> Vec<Value> {
    let reason = |group: &RejectionGroup| {
        let first = &group.first;
        json!({
            "records": group.n_records,
            "field": first.field,
            "problem": first.problem,
            "value": first.excerpt,
            offset: first.position.offset,
        })
    };
    rejections.groups().into_iter().map(reason).collect()
}
