//! How fast declared formats are read. Not part of the checks:
//! `cargo test --release -p metricc-ir --test speed -- --ignored --nocapture`.
#![allow(clippy::print_stdout, reason = "it prints what it measures")]

use std::hint::black_box;

use metricc_ir::text::time_format::{FormatPurpose, TimeFormat};
use metricc_ir::text::{number, timestamp};

const N_TEXTS: usize = 1_000_000;
const N_ROUNDS: usize = 5;

/// Processor time of this thread, as Linux counts it.
fn cpu_seconds() -> f64 {
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    counted.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).expect("a number") / 1e9
}

/// Millions of texts per second, the best of some rounds.
fn measured(name: &str, texts: &[String], read: impl Fn(&str) -> bool) {
    let round = || {
        let start = cpu_seconds();
        let n_read = texts.iter().filter(|text| read(black_box(text))).count();
        assert_eq!(n_read, texts.len(), "{name}");
        texts.len() as f64 / (cpu_seconds() - start) / 1e6
    };
    let best = (0..N_ROUNDS).map(|_| round()).fold(0.0, f64::max);
    println!("{name}: {best:.1} M values per CPU-second");
}

#[test]
#[ignore = "a measurement"]
fn formats_of_fixed_width() {
    let texts = |make: &dyn Fn(usize) -> String| (0..N_TEXTS).map(make).collect::<Vec<String>>();
    let formats: [(&str, &dyn Fn(usize) -> String); 4] = [
        ("%Y-%m-%d %H:%M:%S", &|n| {
            format!("2026-{:02}-{:02} {:02}:{:02}:{:02}", n % 12 + 1, n % 28 + 1, n % 24, n % 60, n % 59)
        }),
        ("%d.%m.%Y %H:%M", &|n| {
            format!("{:02}.{:02}.2026 {:02}:{:02}", n % 28 + 1, n % 12 + 1, n % 24, n % 60)
        }),
        ("%Y%m%d%H%M%S", &|n| {
            format!("2026{:02}{:02}{:02}{:02}{:02}", n % 12 + 1, n % 28 + 1, n % 24, n % 60, n % 59)
        }),
        ("%d/%b/%Y:%T %z", &|n| format!("{:02}/Jan/2026:{:02}:{:02}:09 +0530", n % 28 + 1, n % 24, n % 60)),
    ];
    for (format, make) in formats {
        let zone = metricc_ir::calendar::ZoneRules::named("UTC");
        let compiled = TimeFormat::compile(format, FormatPurpose::LocalTimes).expect("a format");
        measured(format, &texts(make), |text| compiled.instant(text, zone.as_ref()).is_ok());
    }
    let dates = TimeFormat::compile("%d.%m.%Y", FormatPurpose::Dates).expect("a format");
    let of_dates = texts(&|n| format!("{:02}.{:02}.2026", n % 28 + 1, n % 12 + 1));
    measured("%d.%m.%Y, dates", &of_dates, |text| dates.date(text).is_ok());
    let iso = texts(&|n| format!("2026-01-{:02}T{:02}:{:02}:09.123Z", n % 28 + 1, n % 24, n % 60));
    measured("without a format", &iso, |text| timestamp::parse(text, None).is_ok());
    let ints = texts(&|n| n.to_string());
    measured("int", &ints, |text| number::int(text).is_ok());
    let decimals = texts(&|n| format!("{}.{:02}", n % 100_000, n % 100));
    measured("decimal", &decimals, |text| number::decimal(text, 12, 2).is_ok());
    measured("float", &decimals, |text| number::float(text).is_ok());
}
