//! JSON objects from the paths of their values, written independently of the decoder's tree.

use metricc_ir::{Path, Step};
use rand::Rng;

use super::Random;

/// A JSON text, or what is built of several.
#[derive(Debug, Default)]
pub(super) enum Tree {
    /// Nothing was put here.
    #[default]
    Nothing,
    Text(String),
    Object(Vec<(String, Tree)>),
    Array(Vec<Tree>),
}

impl Tree {
    /// An object without members.
    pub(super) fn object() -> Self {
        Tree::Object(Vec::new())
    }

    /// Puts a text at the end of a path; one that is there already stays around it or is replaced.
    pub(super) fn put(&mut self, path: &Path, text: String) {
        self.put_at(path.steps(), text);
    }

    fn put_at(&mut self, steps: &[Step], text: String) {
        match steps {
            [] => *self = Tree::Text(text),
            [Step::Name(name), rest @ ..] => {
                if !matches!(self, Tree::Object(_)) {
                    *self = Tree::object();
                }
                let Tree::Object(members) = self else { return };
                let place = members.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                    members.push((name.clone(), Tree::Nothing));
                    members.len() - 1
                });
                members[place].1.put_at(rest, text);
            }
            [Step::Index(index), rest @ ..] => {
                if !matches!(self, Tree::Array(_)) {
                    *self = Tree::Array(Vec::new());
                }
                let Tree::Array(elements) = self else { return };
                let index = *index as usize;
                while elements.len() <= index {
                    elements.push(Tree::Nothing);
                }
                elements[index].put_at(rest, text);
            }
        }
    }

    /// The text; with `random`, members come in a random order, among others that nobody declares.
    pub(super) fn text(&self, random: &mut Option<&mut Random>) -> String {
        match self {
            Tree::Nothing => "null".to_owned(),
            Tree::Text(text) => text.clone(),
            Tree::Array(elements) => {
                let mut texts: Vec<String> = elements.iter().map(|element| element.text(random)).collect();
                if random.as_mut().is_some_and(|random| random.random_bool(0.3)) {
                    texts.push(r#"{"further":[1]}"#.to_owned());
                }
                format!("[{}]", texts.join(", "))
            }
            Tree::Object(members) => {
                let of = |(name, value): &(String, Tree), random: &mut Option<&mut Random>| {
                    format!("{}:{}", quoted(name), value.text(random))
                };
                let mut texts: Vec<String> = members.iter().map(|member| of(member, random)).collect();
                if let Some(random) = random {
                    texts.insert(0, r#""undeclared":{"id":[1,{"n":null}]}"#.to_owned());
                    let n_texts = texts.len();
                    texts.rotate_left(random.random_range(0..n_texts));
                }
                format!("{{{}}}", texts.join(","))
            }
        }
    }
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_share_a_start_share_an_object() {
        let name = |name: &str| Step::Name(name.to_owned());
        let mut tree = Tree::object();
        tree.put(&Path::new(vec![name("a"), name("b c")]), "1".into());
        tree.put(&Path::new(vec![name("d"), Step::Index(1), name("e")]), "2".into());
        tree.put(&Path::new(vec![name("a"), name("f")]), "\"x\"".into());
        assert_eq!(tree.text(&mut None), r#"{"a":{"b c":1,"f":"x"},"d":[null, {"e":2}]}"#);
    }
}
