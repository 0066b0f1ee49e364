//! Views of articles.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::instant_text;

/// Records that the strict decoder must not accept.
pub(crate) const HOSTILE: &[&str] = &[
    r#"{"view_id":"x1","at":"2026-03-28T25:00:00Z","article":"rust","tags":[]}"#,
    r#"{"view_id":"x2","at":"2026-02-30T10:00:00Z","article":"rust","tags":[]}"#,
    r#"{"view_id":"x3","at":"2026-03-28T10:00:00Z","article":null,"tags":[]}"#,
    r#"{"view_id":"x4","at":"2026-03-28T10:00:00Z","article":"rust","tags":"news"}"#,
    r#"{"view_id":"x5","at":"2026-03-28T10:00:00Z","article":"rust","tags":[1]}"#,
    r#"{"view_id":"x6","at":"2026-03-28T10:00:00Z","article":"rust","tags":[],}"#,
    r#"{"view_id":"x7","at":"2026-03-28T10:00:00Z","article":"a","tags":[]}{"view_id":"x8"}"#,
    r#"{"at":"2026-03-28T10:00:00Z","article":"rust","tags":[]}"#,
];

const TAGS: [&str; 4] = ["science", "politics", "sport", "café"];

pub(crate) fn record(random: &mut ChaCha8Rng, id: u64, at_us: i64) -> String {
    let article = ["moon landing", "election", "cup final", "naïve Bayes", "市场"][random.random_range(0..5)];
    let tags: Vec<&str> = TAGS.into_iter().filter(|_| random.random()).collect();
    let user = if random.random_range(0..4) == 0 { json!(null) } else { json!(random.random_range(1..300)) };
    json!({
        "view_id": format!("views-{id}"),
        "at": instant_text(at_us),
        "article": article,
        "user_id": user,
        "tags": tags,
    })
    .to_string()
}
