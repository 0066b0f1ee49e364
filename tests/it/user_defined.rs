//! Functions and aggregates of a crate's own: in `#[metric]`, in files, in every engine, and by their laws.

use metricc::jiff::Timestamp;
use metricc::user_defined::{
    Bits, FloatSum, Imports, Laws, Monoid, State, Sum, check_monoid, monoid, scalar,
};
use metricc::{Engine, Event, EventLog, Events, Metric, Package, Run, law_test, metric};
use metricc_dsl::SourceText;

use crate::layers::{bound, every_cut, merged, options, package, whole};

/// How a trip counts.
#[scalar]
fn speed_class(km: f64, late: Option<bool>) -> String {
    match (km, late) {
        (km, _) if km < 0.5 => "standing".to_owned(),
        (_, Some(true)) => "slow".to_owned(),
        _ => "normal".to_owned(),
    }
}

/// A function whose result may not exist.
#[scalar]
pub(crate) fn root(value: f64) -> f64 {
    value.sqrt()
}

/// The nth root of the product of n numbers above zero.
#[derive(Debug)]
pub(crate) struct GeometricMean;

/// Their number, and the sum of their logarithms.
#[derive(Debug, Clone, Default, State)]
pub(crate) struct Logarithms {
    n: Sum,
    sum: FloatSum,
}

#[monoid]
impl Monoid for GeometricMean {
    type Input = f64;
    type State = Logarithms;
    type Output = Option<f64>;
    const NAME: &'static str = "geometric_mean";
    const VERSION: u32 = 2;

    fn lift(state: &mut Logarithms, value: f64) {
        if value > 0.0 {
            state.n.add(1);
            state.sum.add(value.ln());
        }
    }
    fn present(state: &Logarithms) -> Option<f64> {
        let mean = state.sum.value()? / state.n.0 as f64;
        // Logarithms may differ in their last digit from one system to the next.
        (state.n.0 > 0).then(|| (mean.exp() * 1e6).round() / 1e6)
    }
}

/// A Bloom filter of 1,024 bits: about how many pairs it has seen.
#[derive(Debug)]
pub(crate) struct Seen;

#[monoid]
impl Monoid for Seen {
    type Input = (String, String);
    type State = Bits<16>;
    type Output = i64;
    const NAME: &'static str = "seen";

    fn lift(state: &mut Bits<16>, (first, second): (String, String)) {
        let hash = first.bytes().chain([0]).chain(second.bytes());
        let hash = hash.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        for part in 0..3 {
            state.set((hash >> (part * 20)) as usize % Bits::<16>::LEN);
        }
    }
    fn present(state: &Bits<16>) -> i64 {
        let share = f64::from(state.n_set()) / Bits::<16>::LEN as f64;
        (-(Bits::<16>::LEN as f64) / 3.0 * (1.0 - share).ln()).round() as i64
    }
}

law_test!(a_geometric_mean_keeps_its_laws, GeometricMean);
law_test!(a_bloom_filter_keeps_its_laws, Seen);

const FILE: &str = include_str!("fixtures/own.metric");

pub(crate) fn brought() -> Imports {
    Imports::new().function(speed_class::Import).aggregate(GeometricMean).aggregate(Seen)
}

pub(crate) const TRIPS: [&str; 7] = [
    r#"{"id":"1","at":"2026-04-25T10:00:00Z","driver":"a","km":1.0}"#,
    r#"{"id":"2","at":"2026-04-25T10:10:00Z","driver":"a","km":4.0,"late":true}"#,
    r#"{"id":"3","at":"2026-04-25T10:20:00Z","driver":"b","km":0.25,"late":false}"#,
    r#"{"id":"4","at":"2026-04-25T11:00:00Z","driver":"b","km":9.0,"late":true}"#,
    r#"{"id":"4","at":"2026-04-25T11:00:00Z","driver":"b","km":9.0,"late":true}"#,
    r#"{"id":"5","at":"2026-04-25T11:30:00Z","driver":"b","km":-2.0}"#,
    r#"{"id":"6","at":"2026-04-25T11:40:00Z","driver":"c","km":16.0}"#,
];

#[test]
fn imports_of_a_file_agree_in_every_engine_at_every_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trips.ndjson");
    std::fs::write(&path, TRIPS.join("\n")).expect("it is written");
    let bound = bound(&package(FILE).with_imports(&brought()), &path);
    let (batch, _) = whole(&bound, Engine::Batch, &options(2, 2));
    let (stream, _) = whole(&bound, Engine::Stream, &options(2, 1));
    assert_eq!(batch, stream);
    for cut in every_cut(&bound) {
        assert_eq!(batch, merged(&bound, &cut, &options(1, 2)), "{cut}");
    }
    let expected = [
        r#"{"metric":"typical_km","key":{"driver":"a"},"window":null,"value":2.0}"#,
        r#"{"metric":"typical_km","key":{"driver":"b"},"window":null,"value":9.0}"#,
        r#"{"metric":"typical_km","key":{"driver":"c"},"window":null,"value":16.0}"#,
    ];
    assert_eq!(batch[0], expected);
    assert!(batch[1][0].contains(r#""key":{"class":"normal"}"#), "{}", batch[1][0]);
    assert!(batch[1].iter().all(|line| line.contains(r#""drivers":1"#)), "{:?}", batch[1]);
}

#[test]
fn what_is_declared_has_to_be_what_is_brought() {
    let problem = |text: &str, imports: &Imports| {
        let package = Package::from_text(SourceText { name: "own.metric".to_owned(), bytes: text.into() });
        assert!(!package.checked.has_errors(), "{:?}", package.checked.diagnostics);
        let metrics = package.metrics(&[]).expect("metrics");
        metricc_compiler::SourcePlan::new(&metrics, imports)
            .map(|_| ())
            .expect_err("it is refused")
            .to_string()
    };
    let nothing = problem(FILE, &Imports::new());
    assert!(nothing.contains("this program does not bring the imported"), "{nothing}");
    let version = problem(&FILE.replace(" version 2", ""), &brought());
    assert_eq!(version, "`geometric_mean`: imported is version 1, the program brings version 2");
    let types = problem(&FILE.replace("(float, bool?): string", "(float, bool?): string?"), &brought());
    assert!(
        types.contains("declared is `(float, bool?): string?`, the program brings `(float, bool?): string`"),
        "{types}"
    );
    let laws = problem(&FILE.replace("float? version 2", "float? version 2 idempotent"), &brought());
    assert!(laws.contains("declared is an idempotent aggregate"), "{laws}");
}

/// A trip.
#[derive(Event, Debug, Clone)]
#[event(name = "trips")]
struct Trip {
    #[event(key)]
    id: String,
    #[event(time)]
    at: Timestamp,
    driver: String,
    km: f64,
    late: Option<bool>,
}

/// The typical trip of each driver.
#[metric(import(speed_class, GeometricMean))]
fn typical_km(trips: Events<Trip>) -> Metric {
    trips
        .filter(|t| speed_class(t.km, t.late) != "standing")
        .key_by(|t| Key { driver: t.driver })
        .user_defined(GeometricMean, |t| t.km)
}

#[metric(import(self::root, Seen, GeometricMean))]
fn roots(trips: Events<Trip>) -> Metric {
    trips.aggregate(|e| Value {
        greatest: e.max(|t| root(t.km)),
        rooted: e.filter(|t| root(t.km) > 1.5).count(),
        pairs: e.filter(|t| t.km > 0.0).user_defined(Seen, |t| (t.driver, t.id)),
        ratio: e.user_defined(GeometricMean, |t| t.km) / e.mean(|t| t.km),
    })
}

mod from_file {
    use super::{GeometricMean, Seen, speed_class};

    metricc::metrics!("fixtures/own.metric");
}

fn trips() -> Vec<Trip> {
    let trip = |id: &str, driver: &str, km: f64, late| Trip {
        id: id.to_owned(),
        at: "2026-04-25T10:00:00Z".parse().expect("an instant"),
        driver: driver.to_owned(),
        km,
        late,
    };
    vec![
        trip("1", "a", 1.0, None),
        trip("2", "a", 4.0, Some(true)),
        trip("3", "b", 0.25, Some(false)),
        trip("4", "b", 9.0, Some(true)),
        trip("5", "b", -2.0, None),
    ]
}

#[test]
fn a_crate_and_a_file_mean_the_same() {
    let log = EventLog::of_events(&trips()).expect("a log");
    let answer = typical_km().batch(&log).expect("an answer");
    assert_eq!(answer.get(&typical_km::Key { driver: "a".to_owned() }), Some(&Some(2.0)));
    for cut in 0..=5 {
        let merged = typical_km().merged(&log, &log.frontier_at(cut)).expect("an answer");
        assert_eq!(merged.rows, answer.rows);
    }
    assert_eq!(typical_km().hash().expect("a hash"), from_file::typical_km().hash().expect("a hash"));
    let mut stream = roots().stream().expect("a stream");
    stream.extend(&trips()).expect("it takes them");
    let value = &stream.read().expect("an answer").rows[0].value;
    // The root of a negative number is none, and neither counts nor fails.
    assert_eq!((value.greatest, value.rooted), (Some(3.0), 2));
    assert!((3..=5).contains(&value.pairs), "an estimate of four: {}", value.pairs);
}

/// Keeps whichever value came first, with no order to say which that is.
#[derive(Debug, Clone, Default)]
struct TiesKeptLeft(Option<i64>);

impl State for TiesKeptLeft {
    const LAWS: Laws = Laws { idempotent: true, invertible: false, max_bytes: Some(9), error_ppm: None };
    fn combine(&mut self, other: &Self) {
        self.0 = self.0.or(other.0);
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.0.into_iter().flat_map(i64::to_le_bytes));
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let state = if bytes.is_empty() { None } else { Some(i64::from_le_bytes((*bytes).try_into().ok()?)) };
        *bytes = &[];
        Some(TiesKeptLeft(state))
    }
}

/// Adds floats as they come.
#[derive(Debug, Clone, Default)]
struct PlainSum(f64);

impl State for PlainSum {
    const LAWS: Laws = Laws { idempotent: false, invertible: true, max_bytes: Some(8), error_ppm: None };
    fn combine(&mut self, other: &Self) {
        self.0 += other.0;
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.0.to_le_bytes());
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (value, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(PlainSum(f64::from_le_bytes(*value)))
    }
}

/// The two most frequent values, with the counts of the others thrown away.
#[derive(Debug, Clone, Default)]
struct CappedHitters(std::collections::BTreeMap<i64, i64>);

impl CappedHitters {
    fn cap(&mut self) {
        while self.0.len() > 2 {
            let least = self.0.iter().min_by_key(|(value, n)| (**n, **value)).map(|(value, _)| *value);
            self.0.retain(|value, _| Some(*value) != least);
        }
    }
}

impl State for CappedHitters {
    const LAWS: Laws = Laws { idempotent: false, invertible: false, max_bytes: Some(32), error_ppm: None };
    fn combine(&mut self, other: &Self) {
        other.0.iter().for_each(|(value, n)| *self.0.entry(*value).or_default() += n);
        self.cap();
    }
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.iter().for_each(|(value, n)| out.extend([value.to_le_bytes(), n.to_le_bytes()].concat()));
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (pairs, rest) = bytes.as_chunks::<16>();
        let number = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_le_bytes);
        let pairs =
            pairs.iter().map(|pair| number(&pair[..8]).zip(number(&pair[8..]))).collect::<Option<_>>();
        *bytes = rest;
        pairs.map(CappedHitters)
    }
}

/// The greatest product of a float and zero: +0.0 or -0.0, whichever came.
#[derive(Debug, Clone, Default)]
struct EitherZero(Option<f64>);

impl State for EitherZero {
    const LAWS: Laws = Laws { idempotent: true, invertible: false, max_bytes: Some(8), error_ppm: None };
    fn combine(&mut self, other: &Self) {
        self.0 = match (self.0, other.0) {
            (Some(own), Some(other)) => Some(if other > own { other } else { own }),
            (own, other) => own.or(other),
        };
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.0.into_iter().flat_map(f64::to_le_bytes));
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let state = if bytes.is_empty() { None } else { Some(f64::from_le_bytes((*bytes).try_into().ok()?)) };
        *bytes = &[];
        Some(EitherZero(state))
    }
}

macro_rules! broken {
    ($($name:ident($input:ty) over $state:ty, |$own:ident, $value:ident| $lifted:expr;)*) => {
        $(#[derive(Debug)]
        struct $name;

        impl Monoid for $name {
            type Input = $input;
            type State = $state;
            type Output = bool;
            const NAME: &'static str = stringify!($name);

            fn lift($own: &mut $state, $value: $input) {
                State::combine($own, &$lifted);
            }
            fn present(_: &$state) -> bool {
                true
            }
        })*
    };
}

broken! {
    AnyValue(i64) over TiesKeptLeft, |state, value| TiesKeptLeft(Some(value));
    FastSum(f64) over PlainSum, |state, value| PlainSum(value);
    HeavyHitters(i64) over CappedHitters, |state, value| CappedHitters([(value, 1)].into());
    Zeros(f64) over EitherZero, |state, value| EitherZero(Some(value * 0.0));
    NoSum(i64) over NotInvertible, |state, value| NotInvertible(value);
    TwiceIsMore(i64) over NotIdempotent, |state, value| NotIdempotent(i128::from(value));
    Padded(i64) over TwoSpellings, |state, value| TwoSpellings(value & 1);
}

/// A maximum that claims to have an inverse.
#[derive(Debug, Clone, Default)]
struct NotInvertible(i64);

impl State for NotInvertible {
    const LAWS: Laws = Laws { idempotent: true, invertible: true, max_bytes: Some(8), error_ppm: None };
    fn combine(&mut self, other: &Self) {
        self.0 = self.0.max(other.0);
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.0.to_le_bytes());
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (value, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(NotInvertible(i64::from_le_bytes(*value)))
    }
}

/// A sum that claims that duplicates do no harm.
#[derive(Debug, Clone, Default)]
struct NotIdempotent(i128);

impl State for NotIdempotent {
    const LAWS: Laws = Laws { idempotent: true, invertible: true, max_bytes: Some(16), error_ppm: None };
    fn combine(&mut self, other: &Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
    fn encode(&self, out: &mut Vec<u8>) {
        Sum(self.0).encode(out);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Sum::decode(bytes).map(|sum| NotIdempotent(sum.0))
    }
}

/// One bit that is written in more bytes than it says.
#[derive(Debug, Clone, Default)]
struct TwoSpellings(i64);

impl State for TwoSpellings {
    const LAWS: Laws = Laws { idempotent: true, invertible: false, max_bytes: Some(0), error_ppm: None };
    fn combine(&mut self, other: &Self) {
        self.0 |= other.0;
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.0 as u8);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (value, rest) = bytes.split_first()?;
        *bytes = rest;
        Some(TwoSpellings(i64::from(*value)))
    }
}

#[test]
fn the_kit_catches_monoids_that_are_none() {
    let caught = |found: Result<(), String>, law: &str| {
        let problem = found.expect_err("it is no lawful monoid");
        assert!(problem.contains(law), "{law}: {problem}");
    };
    caught(check_monoid::<AnyValue>(1), "in another order");
    caught(check_monoid::<FastSum>(1), "");
    caught(check_monoid::<HeavyHitters>(1), "");
    caught(check_monoid::<Zeros>(1), "");
    caught(check_monoid::<NoSum>(1), "");
    caught(check_monoid::<TwiceIsMore>(1), "a state merged with itself");
    caught(check_monoid::<Padded>(1), "at most 0 are declared");
}
