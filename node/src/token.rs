//! Where tokens are read from. What a configuration has in the place of a reference may be the token itself,
//! by mistake: so no message and no `Debug` shows it, but where it stands.

use std::fmt;
use std::path::{Path, PathBuf};

use metricc_ir::plain_file;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

/// Shortest token, in characters: 32 random bytes in base64.
const MIN_TOKEN: usize = 43;

/// `file:PATH` or `env:VARIABLE`.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenReference {
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// Neither.
    Invalid,
}

impl fmt::Debug for TokenReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenReference::File(_) => "file:…",
            TokenReference::Variable(_) => "env:…",
            TokenReference::Invalid => "…",
        })
    }
}

impl From<&str> for TokenReference {
    fn from(text: &str) -> Self {
        match text.split_once(':') {
            Some(("file", path)) => TokenReference::File(path.into()),
            Some(("env", name)) => TokenReference::Variable(name.to_owned()),
            _ => TokenReference::Invalid,
        }
    }
}

impl<'de> Deserialize<'de> for TokenReference {
    /// A value of another type is invalid as well, and is not shown either.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = TokenReference;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`file:PATH` or `env:VARIABLE`")
            }

            fn visit_str<E>(self, text: &str) -> Result<TokenReference, E> {
                Ok(text.into())
            }

            fn visit_i64<E>(self, _: i64) -> Result<TokenReference, E> {
                Ok(TokenReference::Invalid)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// The tokens of a scope. A value that is no list is not shown either.
pub(crate) fn references<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<TokenReference>, D::Error> {
    struct List;
    impl<'de> Visitor<'de> for List {
        type Value = Vec<TokenReference>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of references, such as [\"file:query.token\"]")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<TokenReference>, A::Error> {
            let mut references = Vec::new();
            while let Some(reference) = items.next_element()? {
                references.push(reference);
            }
            Ok(references)
        }
    }
    deserializer.deserialize_any(List)
}

impl TokenReference {
    /// A file is relative to the folder of the configuration.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        if let TokenReference::File(path) = self {
            *path = folder.join(&*path);
        }
    }

    /// The token.
    ///
    /// # Errors
    /// What is wrong, as the rest of a sentence, without what stands there.
    pub(crate) fn read(&self) -> Result<String, String> {
        let token = self.read_secret()?;
        if token.len() < MIN_TOKEN {
            let n = token.len();
            return Err(format!(
                "has {n} characters: it takes at least {MIN_TOKEN}, as from `openssl rand -base64 32`"
            ));
        }
        Ok(token)
    }

    /// A secret of any length, such as the password of a user of another service.
    ///
    /// # Errors
    /// What is wrong, as the rest of a sentence, without what stands there.
    pub fn read_secret(&self) -> Result<String, String> {
        let secret = match self {
            TokenReference::File(path) => {
                plain_file::read_text(path, plain_file::MOST_TEXT).map_err(|error| {
                    format!("is in a file that cannot be read: {error}; correct its path or its rights")
                })?
            }
            TokenReference::Variable(name) => match std::env::var(name) {
                Ok(token) => token,
                Err(std::env::VarError::NotPresent) => {
                    let help = "set it for this process, or use `file:PATH`";
                    return Err(format!("is in a variable that is not set: {help}"));
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    return Err("is in a variable that is no text".to_owned());
                }
            },
            TokenReference::Invalid => {
                let help = "is not written as `file:PATH` or `env:NAME`: a configuration must not contain the secret itself";
                return Err(help.to_owned());
            }
        };
        match secret.trim() {
            "" => Err("is empty: write the secret there, or leave the setting out".to_owned()),
            secret => Ok(secret.to_owned()),
        }
    }
}

/// An error with its place. Neither the line nor a text in it is shown: it may be a token.
pub(crate) fn located(text: &str, error: &toml::de::Error) -> String {
    let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    let message = error.message();
    let message = match (message.find("string \""), message.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}a text{}", &message[..start], &message[end + 1..])
        }
        _ => message.to_owned(),
    };
    format!("line {line}, column {column}: {message}")
}

#[cfg(test)]
mod tests {
    use super::TokenReference;
    use crate::Config;

    #[test]
    fn no_error_and_no_debug_output_shows_a_token() {
        let token = "S3cretS3cretS3cretS3cretS3cretS3cretS3cretS3";
        for tokens in [
            format!("[tokens]\nquery = \"{token}\""),
            format!("[tokens]\nquery = [{token}]"),
            format!("[tokens]\nquery = [\"{token}]"),
            format!("[tokens]\nquery = [\"file:a\", \"{token}\" \"b\"]"),
            format!("[tokens]\nquery = [{{ token = \"{token}\" }}]"),
            format!("tokens = \"{token}\""),
            format!("[token]\nquery = [\"{token}\"]"),
            format!("[tokens]\nadmins = \"{token}\""),
            format!("[batch]\nworkers = \"{token}\""),
        ] {
            let problem = Config::parse(&format!("package = \"a\"\n{tokens}\n")).unwrap_err();
            assert!(!problem.contains("S3cret") && problem.contains("line "), "{tokens}: {problem}");
        }
        let text =
            format!("package = \"a\"\n[tokens]\nquery = [\"{token}\", \"env:{token}\", \"file:{token}\"]");
        let config = Config::parse(&text).unwrap();
        assert!(!format!("{config:?}").contains("S3cret"), "{config:?}");
        for reference in &config.tokens.query {
            let problem = reference.read().unwrap_err();
            assert!(!problem.contains("S3cret"), "{problem}");
        }
    }

    #[test]
    fn an_empty_secret_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        for (text, wanted) in [("", None), (" \n", None), (" s\n", Some("s"))] {
            std::fs::write(&path, text).unwrap();
            let read = TokenReference::File(path.clone()).read_secret();
            assert_eq!(read.as_deref().ok(), wanted);
            assert!(read.is_ok_and(|read| read == "s") || text.trim().is_empty());
        }
        let problem = TokenReference::File(path.with_extension("none")).read_secret().unwrap_err();
        assert!(problem.contains("cannot be read") && !problem.contains("none"), "{problem}");
    }
}
