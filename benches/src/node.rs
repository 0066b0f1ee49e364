//! A node in a process of its own, for the time of a measurement.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Failure, out};

/// A running node; it is killed when this is dropped.
pub(crate) struct Node {
    pub(crate) process: Child,
    /// Such as `127.0.0.1:7171`.
    pub(crate) address: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the `metricc` beside this program, with the configuration in a folder.
pub(crate) fn start(home: &Path) -> Result<Node, Failure> {
    let metricc = std::env::current_exe()?.with_file_name("metricc");
    let mut process = Command::new(metricc).current_dir(home).arg("serve").stderr(Stdio::piped()).spawn()?;
    let stderr = process.stderr.take().ok_or("no stderr")?;
    let mut lines = BufReader::new(stderr).lines();
    let said = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("http://")?;
        Some(rest.split([',', ' ']).next().unwrap_or_default().to_owned())
    });
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| out(&line)));
    Ok(Node { process, address: said.ok_or("the node did not start")? })
}
