//! What visitors see.

pub mod render;
