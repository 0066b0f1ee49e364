//! Access to the files beside the checked one: the files that it uses, and the rows of its tables.

/// The files beside the checked one.
pub trait Files {
    /// The content of a file, such as `events.metric` or `shops.csv`.
    ///
    /// # Errors
    /// Why it cannot be read, as a phrase.
    fn read(&self, name: &str) -> Result<Vec<u8>, String>;
}

/// No files: a text that stands alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("this text has no files beside it".to_owned())
    }
}

impl<T: Files + ?Sized> Files for &T {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        (**self).read(name)
    }
}

/// Files by name.
impl Files for [(&str, &str)] {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let file = self.iter().find(|(known, _)| *known == name);
        file.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "there is no such file".to_owned())
    }
}
