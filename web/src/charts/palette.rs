//! Colours: the Okabe-Ito set, made lighter or darker until each stands out from its background.

/// The colours of the pictures in one theme, as `#rrggbb`. `style.css` holds the same values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Behind everything.
    pub paper: &'static str,
    /// Text and axes.
    pub ink: &'static str,
    /// Labels and the ideal line.
    pub faint: &'static str,
    /// The mesh.
    pub mesh: &'static str,
    /// Records whose windows have fired.
    pub on_time: &'static str,
    /// Records in open windows, and those windows.
    pub open: &'static str,
    /// Late drops and crashes.
    pub late: &'static str,
    /// Watermarks.
    pub watermark: &'static str,
    /// Checkpoints.
    pub checkpoint: &'static str,
}

/// On white paper.
pub const LIGHT: Palette = Palette {
    paper: "#ffffff",
    ink: "#1c2430",
    faint: "#687386",
    mesh: "#e8ebf0",
    on_time: "#0072b2",
    open: "#00835f",
    late: "#c24a00",
    watermark: "#a03a7c",
    checkpoint: "#6b5ec7",
};

/// On dark paper.
pub const DARK: Palette = Palette {
    paper: "#161b24",
    ink: "#e6eaf2",
    faint: "#94a0b4",
    mesh: "#262e3b",
    on_time: "#56b4e9",
    open: "#3cc79a",
    late: "#f58f4e",
    watermark: "#e08cc0",
    checkpoint: "#a59bf5",
};

/// The three parts of `#rrggbb`.
pub fn rgb(color: &str) -> (u8, u8, u8) {
    let part = |at: usize| {
        color.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(0)
    };
    (part(1), part(3), part(5))
}

/// The colour with an opacity of `alpha`, as CSS.
pub fn translucent(color: &str, alpha: f32) -> String {
    let (r, g, b) = rgb(color);
    format!("rgba({r},{g},{b},{alpha})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(color: &str) -> f64 {
        let (r, g, b) = rgb(color);
        let linear = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    /// The contrast of WCAG 2.
    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn marks_and_text_stand_out() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
        for p in [LIGHT, DARK] {
            for mark in [p.on_time, p.open, p.late, p.watermark, p.checkpoint] {
                assert!(contrast(mark, p.paper) >= 4.5, "{mark} on {}", p.paper);
            }
            assert!(contrast(p.ink, p.paper) >= 7.0);
            assert!(contrast(p.faint, p.paper) >= 4.5, "{}", p.faint);
        }
    }

    #[test]
    fn the_style_sheet_has_the_same_colours() {
        let css = include_str!("../../style.css");
        for p in [LIGHT, DARK] {
            for c in [p.paper, p.ink, p.faint, p.on_time, p.open, p.late, p.watermark, p.checkpoint]
            {
                assert!(css.contains(c), "{c}");
            }
        }
    }
}
