//! Statements over metrics and sources that were evaluated here.

mod law;
mod rows;
mod served;
mod statements;
