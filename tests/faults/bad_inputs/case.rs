//! One hostile file and where it goes.

/// One hostile file.
pub struct Case {
    /// Its name on disk, with the ending that chooses the reader.
    pub file: String,
    /// The input table it is offered to.
    pub kind: &'static str,
    pub what: What,
}

pub enum What {
    Bytes(Vec<u8>),
    Folder,
    Link(&'static str),
}

impl Case {
    pub fn new(name: &str, kind: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
        Case { file: name.to_owned(), kind, what: What::Bytes(bytes.into()) }
    }
}
