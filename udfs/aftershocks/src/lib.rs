//! Aftershocks: pairs of quakes near in time and space.
//!
//! The rule, exactly: a pair of a main shock and a later quake matches when
//!
//! * neither id, magnitude, latitude nor longitude is NULL on either side, and the ids differ,
//! * `aftershock.time >= mainshock.time`,
//! * `mainshock.mag >= min_mag` and `aftershock.mag <= mainshock.mag`,
//! * their distance in km is at most `scale × 10^(0.1238 × mainshock.mag + 0.983)`: the radius of Gardner
//!   and Knopoff (1974).
//!
//! The distance is the great circle's on a sphere of 6371.0088 km by the haversine formula:
//! `a = sin²((φ2 − φ1) / 2) + cos φ1 · cos φ2 · sin²((λ2 − λ1) / 2)`, `d = 2 · 6371.0088 · asin(min(1, √a))`,
//! degrees turned into radians by `x · π / 180`. How far apart in time a pair may be is the join's own
//! interval, not the guest's.

#![cfg_attr(target_arch = "wasm32", no_std)]

highwater_udf::join! {
    name: "aftershocks",
    description: "Pairs of a quake and a weaker later one within a radius that grows with the magnitude.",
    parameters { min_mag: DOUBLE = 3.0, scale: DOUBLE = 1.0 }
    left Mainshock("mainshock") { id: STRING, mag: DOUBLE, lat: DOUBLE, lon: DOUBLE }
    right Aftershock("aftershock") { id: STRING, mag: DOUBLE, lat: DOUBLE, lon: DOUBLE }
}

/// Mean radius of the earth, km.
const EARTH_KM: f64 = 6371.0088;

/// Great-circle distance of two places in degrees, km.
fn distance_km(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
    let radians = |degrees: f64| degrees * core::f64::consts::PI / 180.0;
    let half = |from: f64, to: f64| libm::sin((radians(to) - radians(from)) / 2.0);
    let (across, along) = (half(lat1, lat2), half(lon1, lon2));
    let a = across * across + libm::cos(radians(lat1)) * libm::cos(radians(lat2)) * along * along;
    let root = libm::sqrt(a);
    2.0 * EARTH_KM * libm::asin(if root > 1.0 { 1.0 } else { root })
}

/// How far from a quake of this magnitude aftershocks are looked for, km.
fn radius_km(mag: f64) -> f64 {
    libm::pow(10.0, 0.1238 * mag + 0.983)
}

fn pair(p: &Parameters, main: &Mainshock, after: &Aftershock) -> Option<bool> {
    let (mag, later) = (main.mag?, after.mag?);
    // The cheap questions first: most candidates end there.
    if main.id? == after.id? || after.time < main.time || !(mag >= p.min_mag && later <= mag) {
        return Some(false);
    }
    let distance = distance_km(main.lat?, main.lon?, after.lat?, after.lon?);
    Some(distance <= p.scale * radius_km(mag))
}

fn matches(p: &Parameters, main: &Mainshock, after: &Aftershock) -> bool {
    pair(p, main, after).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Parameters = Parameters::DEFAULT;

    fn main_shock(mag: f64) -> Mainshock<'static> {
        Mainshock {
            time: 1_000,
            id: Some("a"),
            mag: Some(mag),
            lat: Some(0.0),
            lon: Some(0.0),
            ..Mainshock::default()
        }
    }

    fn after(time: i64, mag: f64, lon: f64) -> Aftershock<'static> {
        Aftershock {
            time,
            id: Some("b"),
            mag: Some(mag),
            lat: Some(0.0),
            lon: Some(lon),
            ..Aftershock::default()
        }
    }

    #[test]
    fn distances_are_those_of_the_sphere() {
        // A degree of the equator, a quarter of it, and half way round: 2π·6371.0088 / 360, / 4, / 2.
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(close(distance_km(0.0, 0.0, 0.0, 1.0), 111.195_080_23));
        assert!(close(distance_km(0.0, 0.0, 90.0, 0.0), 10_007.557_221_018));
        assert!(close(distance_km(0.0, 179.5, 0.0, -179.5), 111.195_080_23));
        assert!(close(distance_km(45.0, 10.0, -45.0, -170.0), 20_015.114_442_036));
    }

    #[test]
    fn the_published_radii() {
        // Gardner and Knopoff's own table, rounded as they print it: M 3.0: 22.5 km, 5.0: 40, 7.0: 70.
        assert!((radius_km(3.0) - 22.5).abs() < 0.2, "{}", radius_km(3.0));
        assert!((radius_km(5.0) - 40.0).abs() < 0.2);
        assert!((radius_km(7.0) - 70.0).abs() < 1.0);
    }

    #[test]
    fn near_weaker_and_later_quakes_match() {
        assert!(matches(&P, &main_shock(5.0), &after(2_000, 4.0, 0.3)));
        assert!(matches(&P, &main_shock(5.0), &after(1_000, 5.0, 0.3)));
        assert!(!matches(&P, &main_shock(5.0), &after(999, 4.0, 0.3)), "earlier");
        assert!(!matches(&P, &main_shock(5.0), &after(2_000, 5.1, 0.3)), "stronger");
        assert!(!matches(&P, &main_shock(5.0), &after(2_000, 4.0, 0.4)), "44 km away, 40 allowed");
        assert!(!matches(&P, &main_shock(2.9), &after(2_000, 1.0, 0.0)), "too weak a main shock");
        let wide = Parameters { scale: 2.0, ..P };
        assert!(matches(&wide, &main_shock(5.0), &after(2_000, 4.0, 0.4)));
    }

    #[test]
    fn a_quake_is_not_its_own_aftershock_and_null_matches_nothing() {
        let same = Aftershock { id: Some("a"), ..after(1_000, 5.0, 0.0) };
        assert!(!matches(&P, &main_shock(5.0), &same));
        assert!(!matches(&P, &main_shock(f64::NAN), &after(2_000, 4.0, 0.0)));
        for lost in [
            Aftershock { id: None, ..after(2_000, 4.0, 0.0) },
            Aftershock { mag: None, ..after(2_000, 4.0, 0.0) },
            Aftershock { lat: None, ..after(2_000, 4.0, 0.0) },
            Aftershock { lon: None, ..after(2_000, 4.0, 0.0) },
        ] {
            assert!(!matches(&P, &main_shock(5.0), &lost));
        }
    }
}
