//! A plotters backend that writes commands for a canvas.

use std::convert::Infallible;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// What `canvas.js` does, in its order; numbers there and here are the same.
#[derive(Clone, Copy)]
enum Op {
    Fill = 0,
    Stroke = 1,
    FillRect = 2,
    Path = 3,
    FillPath = 4,
    Circle = 5,
    Text = 6,
    Squares = 7,
    Crosses = 8,
    Rings = 9,
    Clip = 10,
    Unclip = 11,
    StrokeRect = 12,
}

/// A picture as numbers, and the texts and colours the numbers refer to.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Commands {
    /// Width and height in CSS pixels.
    pub size: (u32, u32),
    /// Operations with their operands.
    pub data: Vec<f32>,
    /// Texts and colours by position.
    pub strings: Vec<String>,
    fill: Option<u32>,
    stroke: Option<(u32, u32, bool)>,
}

impl Commands {
    /// An empty picture of that size in CSS pixels.
    pub fn new(width: u32, height: u32) -> Commands {
        Commands { size: (width, height), ..Commands::default() }
    }

    /// The colour of what is filled from here on.
    pub fn fill(&mut self, color: &str) {
        let id = self.string(color);
        if self.fill != Some(id) {
            self.fill = Some(id);
            self.op(Op::Fill, &[id as f32]);
        }
    }

    /// The colour and width of lines from here on, dashed or not.
    pub fn stroke(&mut self, color: &str, width: f32, dashed: bool) {
        let style = (self.string(color), width.to_bits(), dashed);
        if self.stroke != Some(style) {
            self.stroke = Some(style);
            self.op(Op::Stroke, &[style.0 as f32, width, f32::from(u8::from(dashed))]);
        }
    }

    /// A filled rectangle.
    pub fn fill_rect(&mut self, x: f32, y: f32, w: f32, h: f32) {
        self.op(Op::FillRect, &[x, y, w, h]);
    }

    /// A rectangle's outline.
    pub fn stroke_rect(&mut self, x: f32, y: f32, w: f32, h: f32) {
        self.op(Op::StrokeRect, &[x, y, w, h]);
    }

    /// A line through points.
    pub fn path(&mut self, points: &[(f32, f32)]) {
        self.many(Op::Path, 0.0, points);
    }

    /// Filled squares, each reaching `half` to every side.
    pub fn squares(&mut self, half: f32, centres: &[(f32, f32)]) {
        self.many(Op::Squares, half, centres);
    }

    /// Crosses.
    pub fn crosses(&mut self, half: f32, centres: &[(f32, f32)]) {
        self.many(Op::Crosses, half, centres);
    }

    /// Circles' outlines.
    pub fn rings(&mut self, radius: f32, centres: &[(f32, f32)]) {
        self.many(Op::Rings, radius, centres);
    }

    /// A line of text. `h`: 0 left, 1 middle, 2 right; `v`: 0 top, 1 middle, 2 bottom.
    pub fn text(&mut self, text: &str, at: (f32, f32), size: f32, align: (u8, u8), turned: bool) {
        let id = self.string(text);
        let (h, v, turned) = (f32::from(align.0), f32::from(align.1), f32::from(u8::from(turned)));
        self.op(Op::Text, &[id as f32, at.0, at.1, size, h, v, turned]);
    }

    /// From here on nothing is drawn outside the rectangle, until [`Commands::unclip`].
    pub fn clip(&mut self, x: f32, y: f32, w: f32, h: f32) {
        self.op(Op::Clip, &[x, y, w, h]);
    }

    /// Undoes [`Commands::clip`].
    pub fn unclip(&mut self) {
        self.op(Op::Unclip, &[]);
        (self.fill, self.stroke) = (None, None);
    }

    fn many(&mut self, op: Op, operand: f32, points: &[(f32, f32)]) {
        if points.is_empty() {
            return;
        }
        self.data.reserve(points.len() * 2 + 3);
        self.op(op, &[operand, points.len() as f32]);
        self.data.extend(points.iter().flat_map(|p| [p.0, p.1]));
    }

    fn op(&mut self, op: Op, operands: &[f32]) {
        self.data.push(f32::from(op as u8));
        self.data.extend_from_slice(operands);
    }

    fn string(&mut self, text: &str) -> u32 {
        let found = self.strings.iter().position(|s| s == text);
        let index = found.unwrap_or_else(|| {
            self.strings.push(text.to_owned());
            self.strings.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }
}

/// The width of a text in a plain sans-serif face, in pixels: a table by kinds of characters.
///
/// It only decides how labels are spaced; the canvas aligns the text itself.
pub fn text_width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.28,
        'f' | 't' | 'r' | ' ' | '-' | '(' | ')' | '[' | ']' | '/' => 0.35,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.86,
        'A'..='Z' => 0.67,
        // Hangul, kana, ideographs and full-width forms fill a square.
        '\u{1100}'..='\u{11ff}'
        | '\u{2e80}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{ffef}' => 1.0,
        _ => 0.56,
    };
    text.chars().map(em).sum::<f64>() * size
}

/// The backend: plotters draws into a command buffer.
pub struct Canvas<'a>(pub &'a mut Commands);

impl Canvas<'_> {
    fn pen<S: BackendStyle>(&mut self, style: &S) {
        self.0.stroke(&css(style.color()), style.stroke_width() as f32, false);
    }
}

/// A colour as canvases want it.
fn css(color: BackendColor) -> String {
    let (r, g, b) = color.rgb;
    format!("rgba({r},{g},{b},{})", color.alpha)
}

/// The middle of a pixel, so that thin lines are sharp.
fn mid(v: i32) -> f32 {
    v as f32 + 0.5
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.0.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        self.0.fill(&css(color));
        self.0.fill_rect(point.0 as f32, point.1 as f32, 1.0, 1.0);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, s: &S) -> Drawn {
        self.draw_path([a, b], s)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        a: BackendCoord,
        b: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (w, h) = ((b.0 - a.0) as f32, (b.1 - a.1) as f32);
        if fill {
            self.0.fill(&css(style.color()));
            self.0.fill_rect(a.0 as f32, a.1 as f32, w, h);
        } else {
            self.pen(style);
            self.0.stroke_rect(mid(a.0), mid(a.1), w, h);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        if style.color().alpha > 0.0 {
            let points: Vec<(f32, f32)> = path.into_iter().map(|p| (mid(p.0), mid(p.1))).collect();
            self.pen(style);
            self.0.path(&points);
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (x, y) = (mid(center.0), mid(center.1));
        if fill {
            self.0.fill(&css(style.color()));
        } else {
            self.pen(style);
        }
        self.0.op(Op::Circle, &[x, y, radius as f32, f32::from(u8::from(fill))]);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        let points: Vec<(f32, f32)> = vert.into_iter().map(|p| (p.0 as f32, p.1 as f32)).collect();
        self.0.fill(&css(style.color()));
        self.0.many(Op::FillPath, 0.0, &points);
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, s: &S, at: BackendCoord) -> Drawn {
        let anchor = s.anchor();
        let h = match anchor.h_pos {
            HPos::Left => 0,
            HPos::Center => 1,
            HPos::Right => 2,
        };
        let v = match anchor.v_pos {
            VPos::Top => 0,
            VPos::Center => 1,
            VPos::Bottom => 2,
        };
        let turned = !matches!(s.transform(), FontTransform::None);
        self.0.fill(&css(s.color()));
        self.0.text(text, (at.0 as f32, at.1 as f32), s.size() as f32, (h, v), turned);
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size();
        Ok((text_width(text, size).ceil() as u32, (size * 1.2).ceil() as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_styles_are_set_once() {
        let mut c = Commands::new(10, 10);
        c.fill("red");
        c.fill_rect(0.0, 0.0, 1.0, 1.0);
        c.fill("red");
        c.fill_rect(2.0, 2.0, 1.0, 1.0);
        assert_eq!(c.data, [0.0, 0.0, 2.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0]);
        assert_eq!(c.strings, ["red"]);
    }

    #[test]
    fn hangul_is_as_wide_as_it_is_high() {
        assert_eq!(text_width("워터", 10.0), 20.0);
        assert!(text_width("ill", 10.0) < text_width("MWM", 10.0));
    }
}
