//! A package as text, with the files that it uses: what another process needs to plan it again.

use std::collections::BTreeMap;

use metricc_compiler::SourcePlan;
use metricc_dsl::{Checked, Files, SourceText, check_with};
use metricc_ir::user_defined::Imports;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::JobError;

/// The text of a package, and of the files and tables that it uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageText {
    /// Its name in messages.
    pub name: String,
    /// The text.
    pub text: String,
    /// The files beside it that were read, by name.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

impl Files for PackageText {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let found = self.files.get(name).map(|text| text.clone().into_bytes());
        found.ok_or_else(|| "it was not there when the run was started".to_owned())
    }
}

impl PackageText {
    /// The package that was checked from a text.
    ///
    /// # Errors
    /// [`JobError::Package`] if one of the texts is not UTF-8: then it does not check either.
    pub fn of_checked(text: &SourceText, checked: &Checked) -> Result<Self, JobError> {
        let utf8 = |text: &SourceText| {
            let problem = |_| JobError::Package(format!("`{}` is not UTF-8", text.name));
            String::from_utf8(text.bytes.clone()).map_err(problem)
        };
        let file = |used: &SourceText| Ok((used.name.clone(), utf8(used)?));
        let files = checked.used.iter().map(file).collect::<Result<_, JobError>>()?;
        Ok(PackageText { name: text.name.clone(), text: utf8(text)?, files })
    }

    /// SHA-256 of the text and the files, in hexadecimal digits. The name has no part in it.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        let named = self.files.iter().flat_map(|(name, text)| [name, text]);
        for part in std::iter::once(&self.text).chain(named) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hex(&hasher.finalize())
    }

    /// The plan of some base metrics of a source.
    ///
    /// # Errors
    /// [`JobError::Package`] if the text has errors here, or does not have such metrics.
    pub fn plan(&self, source: &str, metrics: &[String], imports: &Imports) -> Result<SourcePlan, JobError> {
        let text = SourceText { name: self.name.clone(), bytes: self.text.clone().into_bytes() };
        let checked: Checked = check_with(&text, self);
        if checked.has_errors() {
            let first = checked.diagnostics.first().map(|diagnostic| diagnostic.message.clone());
            return Err(JobError::Package(first.unwrap_or_default()));
        }
        let find = |name: &String| {
            let found = checked
                .package
                .metrics
                .iter()
                .find(|metric| metric.name == *name && metric.source.name == source);
            found
                .cloned()
                .ok_or_else(|| JobError::Package(format!("it has no metric `{name}` over `{source}`")))
        };
        let metrics = metrics.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        Ok(SourcePlan::new(&metrics, imports)?)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
