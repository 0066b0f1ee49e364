//! Brokers of tests, and writing to them.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use krafka::admin::{CreateTopicsOptions, NewTopic};
use krafka::consumer::TopicPartition;
use krafka::testing::FakeBroker;
use krafka::{Compression, Kafka, Record};
use tokio::runtime::Runtime;

static N_TRANSACTIONS: AtomicU32 = AtomicU32::new(0);

/// A broker, and a client that writes to it.
pub(crate) struct Server {
    pub(crate) runtime: Runtime,
    pub(crate) brokers: String,
    /// The broker of this process, if it is that.
    pub(crate) fake: Option<FakeBroker>,
    process: Option<Process>,
}

/// A broker in a process of its own.
struct Process {
    program: PathBuf,
    port: u16,
    data: tempfile::TempDir,
    child: Mutex<Child>,
}

impl Process {
    fn start(program: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|at| at.local_addr()).expect("a port").port();
        let data = tempfile::tempdir().expect("a folder");
        let child = Mutex::new(launch(program, port, data.path()));
        Process { program: program.to_owned(), port, data, child }
    }

    /// Sends a signal. What pip installs as `noida-db` starts the broker as a process below it, so the group
    /// of both gets it.
    fn signal(child: &mut Child, signal: &str) {
        let group = format!("-{}", child.id());
        // They may have ended.
        let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
        let _ = child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        Process::signal(self.child.get_mut().unwrap_or_else(PoisonError::into_inner), "-KILL");
    }
}

/// Starts a broker, and waits until it listens.
fn launch(program: &Path, port: u16, data: &Path) -> Child {
    let child = Command::new(program)
        .args(["start", "--only", "kafka", "--host", "127.0.0.1", "--kafka-port", &port.to_string()])
        .arg("--data-dir")
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("METRICC_NOIDA_DB is a program");
    let until = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "noida-db does not listen at {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

impl Server {
    /// The broker in this process.
    pub(crate) fn fake() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let fake = runtime.block_on(FakeBroker::start()).expect("a broker");
        Server::of_fake(runtime, fake)
    }

    pub(crate) fn of_fake(runtime: Runtime, fake: FakeBroker) -> Self {
        Server { brokers: fake.bootstrap_servers(), runtime, fake: Some(fake), process: None }
    }

    /// All brokers that there are here.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was not tested")]
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Server::fake()];
        match std::env::var_os("METRICC_NOIDA_DB") {
            Some(program) => all.push(Server::noida(Path::new(&program))),
            None => eprintln!(
                "skipped: no broker in a process of its own; install `noida-db` with pip, and name its program in \
                 METRICC_NOIDA_DB"
            ),
        }
        all
    }

    fn noida(program: &Path) -> Self {
        let process = Process::start(program);
        let brokers = format!("127.0.0.1:{}", process.port);
        Server { runtime: Runtime::new().expect("a runtime"), brokers, fake: None, process: Some(process) }
    }

    /// Ends the broker with SIGTERM, if it is a process of its own, and starts it again after a while.
    pub(crate) fn restart(&self, pause: Duration) {
        let Some(process) = &self.process else { return };
        let mut child = process.child.lock().expect("the broker");
        Process::signal(&mut child, "-TERM");
        std::thread::sleep(pause);
        *child = launch(&process.program, process.port, process.data.path());
    }

    pub(crate) fn kafka(&self) -> Kafka {
        self.runtime.block_on(Kafka::builder(&self.brokers).connect()).expect("a client")
    }

    pub(crate) fn create(&self, topic: &str, n_partitions: i32) {
        let kafka = self.kafka();
        let topic = NewTopic::new(topic, n_partitions, 1).expect("a topic");
        let created = kafka.admin();
        let created = self.runtime.block_on(created.create_topics([topic], CreateTopicsOptions::default()));
        created.expect("an answer").into_values().for_each(|one| one.expect("the topic is created"));
    }

    /// Writes records of a partition in one go.
    pub(crate) fn produce(&self, compression: Compression, records: Vec<Record>) {
        let kafka = self.kafka();
        self.runtime.block_on(async {
            let producer = kafka.producer().compression(compression).build().await.expect("a producer");
            let mut sent = Vec::new();
            for record in records {
                sent.push(producer.enqueue(record).await.expect("it is queued"));
            }
            for sent in sent {
                let _ = sent.await.expect("it is written");
            }
            producer.close().await.expect("it is closed");
        });
    }

    /// The sum of the offsets that are committed for a group, if all partitions have one.
    pub(crate) fn committed(&self, group: &str, topic: &str, n_partitions: i32) -> Option<i64> {
        let kafka = self.kafka();
        let admin = kafka.admin();
        let found =
            self.runtime.block_on(admin.list_consumer_group_offsets(group, Default::default())).ok()?;
        let of = |partition| {
            let found = found.get(&TopicPartition::new(topic, partition))?.as_ref().ok()?;
            found.offset
        };
        (0..n_partitions).map(of).sum()
    }

    /// Writes records in a transaction, and commits it or not.
    pub(crate) fn transaction(&self, records: Vec<Record>, is_committed: bool) {
        let kafka = self.kafka();
        // To a read that starts after an aborted transaction, noida-db 0.2.3 reports it, and so hides what
        // its producer writes later.
        let id = match self.fake {
            Some(_) => "tests".to_owned(),
            None => format!("tests-{}", N_TRANSACTIONS.fetch_add(1, Ordering::Relaxed)),
        };
        self.runtime.block_on(async {
            let producer = kafka.producer().build_transactional(id).await.expect("a producer");
            producer.begin().expect("a transaction");
            for record in records {
                let _ = producer.send(record).await.expect("it is written");
            }
            let ended = if is_committed { producer.commit().await } else { producer.abort().await };
            ended.expect("it is ended");
            producer.close().await.expect("it is closed");
        });
    }
}
