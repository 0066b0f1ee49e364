//! Statements over metrics and sources that were evaluated here.

mod law;
mod served;
mod statements;
