//! Questions: metrics that no version declares, checked with the package that is live.

use metricc_dsl::{Question, SourceText};
use metricc_ir::AnyMetric;
use metricc_jobs::PackageText;
use metricc_runtime_serve::LocalServing;

use super::planned::Planned;
use super::{DeployError, Deployed, Deployments};
use crate::package::{NodePackage, WIDTH};

/// A question, planned.
#[derive(Debug)]
pub(crate) struct PlannedQuestion {
    /// The name of its metric.
    pub(crate) name: String,
    /// Resolves requests for its metric.
    pub(crate) serving: LocalServing,
}

impl Deployments {
    /// The text of the version that is live, and the names of its metrics.
    fn live_text(&self) -> Result<(PackageText, Vec<String>), DeployError> {
        let state = self.lock();
        let Some((store, _)) = &state.stored else { return Err(DeployError::ProgramAsked) };
        let live = state.live();
        let names = live.planned.metrics.iter().map(|metric| metric.name().to_owned()).collect();
        let text = match &state.unwritten {
            Some(Some(text)) if text.hash() == live.record.hash => text.clone(),
            _ => store.text(&live.record.hash)?,
        };
        Ok((text, names))
    }

    /// Checks a question with the live package, as a metric of a name.
    fn checked(&self, name: Option<&str>, question: &str) -> Result<Checked, DeployError> {
        let (package, names) = self.live_text()?;
        if let Some(name) = name.filter(|name| names.iter().any(|known| known == name)) {
            let problem = format!("the package has a metric `{name}` already: choose another name");
            return Err(DeployError::Question(problem));
        }
        let text = SourceText { name: package.name.clone(), bytes: package.text.clone().into_bytes() };
        let name = name.map_or_else(|| Question::free_name(&text), str::to_owned);
        let question = Question::check(&text, &package, &name, question);
        match question.metric.clone() {
            Some(metric) => Ok(Checked { package, name, metric, question }),
            None => {
                let unknown = || "the question is not one metric".to_owned();
                Err(DeployError::Question(question.errors(false, WIDTH).unwrap_or_else(unknown)))
            }
        }
    }

    /// Plans a question that is asked of the live package.
    ///
    /// # Errors
    /// [`DeployError::Question`] if it has errors.
    pub(crate) fn question(
        &self,
        name: Option<&str>,
        question: &str,
    ) -> Result<PlannedQuestion, DeployError> {
        let Checked { name, metric, question, .. } = self.checked(name, question)?;
        let (calendars, imports) = (question.package.calendars, self.imports.clone());
        let package = NodePackage { metrics: vec![metric], calendars, imports, text: None };
        let planned = Planned::new(&package)?;
        Ok(PlannedQuestion { name, serving: LocalServing::of_version(planned.served) })
    }

    /// Deploys the live package with a question as a further metric. Returns the text of the metric as well.
    ///
    /// # Errors
    /// As [`Deployments::question`] and [`Deployments::deploy`].
    pub(crate) fn keep(
        &self,
        name: &str,
        question: &str,
        by: &str,
    ) -> Result<(Deployed, String), DeployError> {
        let Checked { package, question, .. } = self.checked(Some(name), question)?;
        let before = package.hash();
        let metric = question.metric_text;
        let text = PackageText { text: format!("{}\n\n{metric}", package.text.trim_end()), ..package };
        Ok((self.deploy_after(Some(&before), text, by, false)?, metric))
    }
}

/// A question without errors.
struct Checked {
    package: PackageText,
    name: String,
    metric: AnyMetric,
    question: Question,
}
