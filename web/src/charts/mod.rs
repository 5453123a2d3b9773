//! Pictures: plotters for layout and axes over a canvas backend of our own.
//!
//! Drawing fills a command buffer; one call per frame hands it to `canvas.js`. Text is measured by a
//! table, so nothing here touches the document or its layout.

pub mod axis;
pub mod canvas;
pub mod palette;
pub mod plane;

pub use canvas::Commands;
pub use palette::Palette;
