//! Lines of an access log.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Records that the strict decoder must not accept.
pub(crate) const HOSTILE: &[&str] = &[
    r#"{"request_id":"x1","at":"2026-03-28 10:00:00","endpoint":"/","ms":1.5,"code":200}"#,
    r#"{"request_id":"x2","at":1774692000000,"endpoint":"/","ms":1e400,"code":200}"#,
    r#"{"request_id":"x3","at":1774692000000,"endpoint":"/","ms":nan,"code":200}"#,
    r#"{"request_id":"x4","at":"tomorrow","endpoint":"/","ms":1.5,"code":200}"#,
    r#"{"request_id":"x5","at":1774692000000,"Endpoint":"/","ms":1.5,"code":200}"#,
    r#"{"request_id":"x6","at":1774692000000,"endpoint":"/","ms":"1,5","code":200}"#,
    r#"{"request_id":"x7","at":1774692000000,"endpoint":"/","ms":1.5,"code":0200}"#,
    r#"{"request_id":"x8","at":1774692000000,"endpoint":"\ud800","ms":1.5,"code":200}"#,
];

pub(crate) fn record(random: &mut ChaCha8Rng, id: u64, at_us: i64) -> String {
    let endpoint = ["/", "/search", "/cart", "/pay", "/api/v1/items"][random.random_range(0..5)];
    // A few requests take a hundred times longer than the others.
    let scale = if random.random_range(0..50) == 0 { 100.0 } else { 1.0 };
    let ms = scale * f64::from(random.random_range(500..40_000)) / 1000.0;
    let code = [200, 200, 200, 200, 304, 404, 500, 503][random.random_range(0..8)];
    format!(
        r#"{{"request_id":"requests-{id}","at":{},"endpoint":"{endpoint}","ms":{ms:?},"code":{code}}}"#,
        at_us / 1000
    )
}
