//! Compiling `.proto` files: one with those beside it, or texts of a registry.

use std::collections::BTreeMap;
use std::path::Path;

use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::{ProtobufFile, ProtobufMessage, confluent};

/// The name of a file of a registry, which has none.
const NAME: &str = "schema of the registry.proto";

/// Files by the names that they are imported by.
struct Texts(BTreeMap<String, String>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = self.0.get(name).map(String::as_str).or_else(|| confluent::file(name));
        File::from_source(name, text.ok_or_else(|| protox::Error::file_not_found(name))?)
    }
}

/// The error with file, line and column, which its `Debug` has.
fn shown(error: &protox::Error) -> String {
    format!("{error:?}")
}

impl ProtobufFile {
    /// Compiles a text and those that it imports, by their names.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn compile(text: &str, imported: BTreeMap<String, String>) -> Result<Self, String> {
        let mut texts = imported;
        texts.insert(NAME.to_owned(), text.to_owned());
        let mut files = ChainFileResolver::new();
        files.add(Texts(texts));
        files.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(files);
        compiler.include_imports(true).open_file(NAME).map_err(|error| shown(&error))?;
        let file = compiler.descriptor_pool().get_file_by_name(NAME);
        file.map(ProtobufFile).ok_or_else(|| "the file is not compiled".to_owned())
    }
}

impl ProtobufMessage {
    /// A message of a file, by its name with or without that of its package; without a name, the only one of
    /// the file. Imports are relative to the file's folder.
    ///
    /// # Errors
    /// What is wrong with the file, or which messages it has.
    pub(crate) fn of_file(path: &Path, message: Option<&str>) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("its name is not UTF-8")?;
        let mut files = ChainFileResolver::new();
        files.add(Texts(BTreeMap::from([(name.to_owned(), text)])));
        files.add(protox::file::IncludeFileResolver::new(folder.to_owned()));
        files.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(files);
        compiler.include_imports(true).open_file(name).map_err(|error| shown(&error))?;
        let pool = compiler.descriptor_pool();
        let file = pool.get_file_by_name(name).ok_or("the file is not compiled")?;
        let messages: Vec<_> = file.messages().collect();
        let names = || messages.iter().map(|message| message.full_name()).collect::<Vec<_>>().join("`, `");
        let found = match message {
            Some(wanted) => {
                let qualified = format!("{}.{wanted}", file.package_name());
                let found = pool.get_message_by_name(&qualified).or_else(|| pool.get_message_by_name(wanted));
                found.ok_or_else(|| format!("it has no message `{wanted}`, but `{}`", names()))?
            }
            None => match messages.as_slice() {
                [] => return Err("it has no message".to_owned()),
                [one] => one.clone(),
                _ => return Err(format!("it has several messages: set `message` to one of `{}`", names())),
            },
        };
        Ok(ProtobufMessage(found))
    }
}
