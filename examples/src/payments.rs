//! Payment attempts.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::instant_text;

/// Records that the strict decoder must not accept.
pub(crate) const HOSTILE: &[&str] = &[
    r#"{"payment_id":"x1","created_at":"2026-03-28T10:00:00Z","merchant_id":"seven","status":"captured","amount":"1.00"}"#,
    r#"{"payment_id":"x2","created_at":"2026-03-28 10:00:00","merchant_id":7,"status":"captured","amount":1.00}"#,
    r#"{"payment_id":"x3","created_at":"2026-03-28T10:00:00Z","merchant_id":7.5,"status":"captured","amount":1.00}"#,
    r#"{"payment_id":"x4","created_at":"2026-03-28T10:00:00Z","merchant_id":7,"status":"capturd","amount":1.00}"#,
    r#"{"payment_id":"x5","created_at":"2026-03-28T10:00:00Z","merchant_id":7,"status":"captured","amount":1.005}"#,
    r#"{"payment_id":"x6","created_at":"2026-03-28T23:59:60Z","merchant_id":7,"status":"captured","amount":1.00}"#,
    r#"{"payment_id":"x7","created_at":"2026-03-28T10:00:00Z","merchant_id":7,"merchant_id":8,"status":"captured","amount":1.00}"#,
    r#"{"payment_id":"x8","created_at":"2026-03-28T10:00:00Z","merchant_id":7,"status":"capt"#,
    r#"not json at all"#,
];

pub(crate) fn record(random: &mut ChaCha8Rng, id: u64, at_us: i64) -> String {
    let status = ["captured", "captured", "captured", "failed", "refunded"][random.random_range(0..5)];
    let cents = random.random_range(0..100_000);
    let amount = format!("{}.{:02}", cents / 100, cents % 100);
    let country = ["\"IN\"", "\"DE\"", "\"BR\"", "null"][random.random_range(0..4)];
    let channel = ["", r#","channel":"app""#][random.random_range(0..2)];
    format!(
        r#"{{"payment_id":{},"created_at":{},"merchant_id":{},"status":"{status}","amount":{amount},"country":{country}{channel}}}"#,
        json!(format!("payments-{id}")),
        json!(instant_text(at_us)),
        random.random_range(1..200),
    )
}
