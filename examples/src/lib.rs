//! Seeded event logs for the example metrics: equal seeds give equal logs.
//!
//! The logs behave like real ones: most events are on time, some arrive late or out of order, some
//! arrive twice (with the same or with another payload), and some records do not decode at all.

mod payments;
mod requests;
mod views;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The logs that can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// `payments/payments.metric`.
    Payments,
    /// `requests/requests.metric`.
    Requests,
    /// `views/views.metric`.
    Views,
}

/// A generated log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedLog {
    /// NDJSON, one record per line, in the order of arrival.
    pub ndjson: String,
    /// Records that do not decode.
    pub n_hostile: usize,
    /// Records whose identity stands earlier in the log.
    pub n_duplicates: usize,
}

impl Case {
    /// All cases.
    pub const ALL: [Case; 3] = [Case::Payments, Case::Requests, Case::Views];

    /// Name of the case, its folder and its source.
    pub fn name(self) -> &'static str {
        match self {
            Case::Payments => "payments",
            Case::Requests => "requests",
            Case::Views => "views",
        }
    }

    fn record(self, random: &mut ChaCha8Rng, id: u64, at_us: i64) -> String {
        match self {
            Case::Payments => payments::record(random, id, at_us),
            Case::Requests => requests::record(random, id, at_us),
            Case::Views => views::record(random, id, at_us),
        }
    }

    fn hostile(self) -> &'static [&'static str] {
        match self {
            Case::Payments => payments::HOSTILE,
            Case::Requests => requests::HOSTILE,
            Case::Views => views::HOSTILE,
        }
    }
}

/// 2026-03-27T00:00:00Z: the logs cross a change of the clocks in Europe.
const START_US: i64 = 1_774_569_600_000_000;
const MINUTE_US: i64 = 60_000_000;
/// Mean time between two events.
const STEP_US: i64 = 40_000_000;

/// Generates a log of `n_records` records.
pub fn generate(case: Case, n_records: usize, seed: u64) -> GeneratedLog {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut log = GeneratedLog { ndjson: String::new(), n_hostile: 0, n_duplicates: 0 };
    let mut now_us = START_US;
    let mut sent: Vec<(u64, String)> = Vec::new();
    for id in 0..n_records as u64 {
        now_us += random.random_range(0..2 * STEP_US);
        let line = match random.random_range(0..100) {
            0..2 => {
                log.n_hostile += 1;
                case.hostile()[random.random_range(0..case.hostile().len())].to_owned()
            }
            2..5 if !sent.is_empty() => {
                log.n_duplicates += 1;
                let (id, line) = &sent[random.random_range(0..sent.len())];
                // Half of the duplicates are plain repetitions, half say something else.
                if random.random() { line.clone() } else { case.record(&mut random, *id, now_us) }
            }
            5..15 => {
                let late_us = random.random_range(0..36 * 60 * MINUTE_US);
                case.record(&mut random, id, now_us - late_us)
            }
            _ => {
                let jitter_us = random.random_range(0..5 * MINUTE_US);
                case.record(&mut random, id, now_us - jitter_us)
            }
        };
        if line.starts_with("{\"") && line.contains(&format!("\"{}-{id}\"", case.name())) {
            sent.push((id, line.clone()));
        }
        log.ndjson.push_str(&line);
        log.ndjson.push('\n');
    }
    log
}

/// An instant as RFC 3339 text in UTC, with milliseconds.
fn instant_text(at_us: i64) -> String {
    let (days, in_day) = (at_us.div_euclid(86_400_000_000), at_us.rem_euclid(86_400_000_000));
    let (year, month, day) = civil(days);
    let (seconds, millis) = (in_day / 1_000_000, in_day / 1000 % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Days since 1970-01-01 to year, month, day (Hinnant, `chrono`-compatible low-level date algorithms, 2014).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_logs_and_other_seeds_other_ones() {
        for case in Case::ALL {
            let log = generate(case, 500, 7);
            assert_eq!(log, generate(case, 500, 7));
            assert_ne!(log, generate(case, 500, 8));
            assert_eq!(log.ndjson.lines().count(), 500);
            assert!(log.n_hostile > 0 && log.n_duplicates > 0);
        }
    }

    #[test]
    fn instants_are_written_in_utc() {
        assert_eq!(instant_text(START_US), "2026-03-27T00:00:00.000Z");
        assert_eq!(instant_text(-1_000), "1969-12-31T23:59:59.999Z");
    }
}
