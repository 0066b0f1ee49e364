//! Who may do what: the one place that every door of a node asks.
//!
//! A door has a token, and gets a [`Permission`]: its scopes, its name for logs, and the [`Access`] to read with,
//! as in `node.serving().with_access(permission.access().clone())`. Only a reader with
//! [`Access::Everything`] may see what is not the rows of a metric: sources, packages, counters, events.
//!
//! Tokens are kept as hashes.

use std::sync::Arc;

use metricc_client::wire::Scope;
use metricc_runtime_serve::Access;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Config;
use crate::error::NodeError;

/// What the holder of a token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    name: String,
    scopes: Vec<Scope>,
    access: Access,
}

impl Permission {
    /// Whether it is of a scope.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|granted| *granted == scope || *granted == Scope::Admin)
    }

    /// What it may read.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// What logs call it: the name of a reader, or the place of the token among those of a scope.
    pub fn name(&self) -> &str {
        &self.name
    }
}

type Hash = [u8; 32];

/// The permissions of all tokens.
#[derive(Debug)]
pub struct Permissions {
    known: Vec<(Hash, Arc<Permission>)>,
    /// What everybody may do if there is no token.
    anyone: Arc<Permission>,
}

impl Permissions {
    /// Reads the tokens of a configuration.
    ///
    /// # Errors
    /// [`NodeError::Config`] if a token cannot be read, or means two readers.
    pub fn new(config: &Config) -> Result<Self, NodeError> {
        let scopes = [Scope::Ingest, Scope::Query, Scope::Admin];
        let anyone =
            Permission { name: "anyone".to_owned(), scopes: scopes.to_vec(), access: Access::Everything };
        let mut permissions = Permissions { known: Vec::new(), anyone: Arc::new(anyone) };
        let tokens = [&config.tokens.ingest, &config.tokens.query, &config.tokens.admin];
        for (scope, references) in scopes.into_iter().zip(tokens) {
            for (index, reference) in references.iter().enumerate() {
                let name = format!("tokens.{} {}", scope.name(), index + 1);
                let problem = |problem| {
                    NodeError::Config(format!("token {} of `tokens.{}` {problem}", index + 1, scope.name()))
                };
                permissions.add_scope(reference.read().map_err(problem)?.as_bytes(), name, scope);
            }
        }
        for (reader, settings) in &config.readers {
            for (index, reference) in settings.tokens.iter().enumerate() {
                let problem = |problem: String| {
                    NodeError::Config(format!("token {} of `readers.{reader}.tokens` {problem}", index + 1))
                };
                let token = reference.read().map_err(problem)?;
                permissions.add_reader(token.as_bytes(), reader).map_err(problem)?;
            }
        }
        Ok(permissions)
    }

    fn add_scope(&mut self, token: &[u8], name: String, scope: Scope) {
        let hash: Hash = Sha256::digest(token).into();
        match self.known.iter_mut().find(|(known, _)| *known == hash) {
            Some((_, permission)) => Arc::make_mut(permission).scopes.push(scope),
            None => {
                let permission = Permission { name, scopes: vec![scope], access: Access::Everything };
                self.known.push((hash, Arc::new(permission)));
            }
        }
    }

    /// A token of a reader is no other one: it would be open what its holder may read.
    fn add_reader(&mut self, token: &[u8], reader: &str) -> Result<(), String> {
        let hash: Hash = Sha256::digest(token).into();
        if let Some((_, other)) = self.known.iter().find(|(known, _)| *known == hash) {
            let problem = "give each reader tokens of its own";
            return Err(format!("is the same as one of `{}`: {problem}", other.name));
        }
        let access = Access::Reader(reader.into());
        let permission = Permission { name: reader.to_owned(), scopes: vec![Scope::Query], access };
        self.known.push((hash, Arc::new(permission)));
        Ok(())
    }

    /// Whether there are tokens: without any, everybody may do everything.
    pub fn has_tokens(&self) -> bool {
        !self.known.is_empty()
    }

    /// What a token permits; `None` if it is not one of the node's.
    pub fn of_token(&self, token: &str) -> Option<Arc<Permission>> {
        let digest: Hash = Sha256::digest(token).into();
        let mut found = None;
        for (known, permission) in &self.known {
            // Every token is compared, and in constant time, so that the duration gives nothing away.
            if known.ct_eq(&digest).into() {
                found = Some(permission);
            }
        }
        found.cloned()
    }

    /// What everybody may do if there is no token, and anybody where none is needed.
    pub(crate) fn anyone(&self) -> Arc<Permission> {
        self.anyone.clone()
    }

    /// What is permitted without a token: everything if the node has none, else nothing.
    pub fn without_token(&self) -> Option<Arc<Permission>> {
        (!self.has_tokens()).then(|| self.anyone.clone())
    }
}
