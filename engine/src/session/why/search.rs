//! The least number with a property that all greater ones have too.

/// The least `x` with `low < x <= most` for which `holds`; `low` is known not to be one. It looks at `guess` and
/// the number before it first. `None` when there is none up to `most`.
///
/// # Errors
/// Those of `holds`.
pub(super) fn least<E>(
    low: i64,
    guess: i64,
    most: i64,
    holds: &mut dyn FnMut(i64) -> Result<bool, E>,
) -> Result<Option<i64>, E> {
    if low >= most {
        return Ok(None);
    }
    let guess = guess.clamp(low + 1, most);
    let (mut not, mut yes);
    if holds(guess)? {
        (not, yes) = (guess - 1, guess);
        let mut stride = 1;
        while not > low && holds(not)? {
            yes = not;
            stride *= 2;
            not = yes.saturating_sub(stride).max(low);
        }
    } else {
        (not, yes) = (guess, guess);
        let mut stride = 1i64;
        loop {
            if yes == most {
                return Ok(None);
            }
            yes = not.saturating_add(stride).min(most);
            if holds(yes)? {
                break;
            }
            (not, stride) = (yes, stride.saturating_mul(2));
        }
    }
    while yes.abs_diff(not) > 1 {
        let middle = not + (yes - not) / 2;
        if holds(middle)? { yes = middle } else { not = middle }
    }
    Ok(Some(yes))
}

#[cfg(test)]
mod tests {
    use super::least;

    #[test]
    fn the_least_is_found_from_any_guess_and_a_right_guess_takes_two_looks() {
        for wanted in [-9, 0, 1, 7, 64, 99] {
            for guess in -50..120 {
                let mut looks = 0;
                let found = least(-10, guess, 100, &mut |x| {
                    looks += 1;
                    Ok::<bool, ()>(x >= wanted)
                });
                assert_eq!(found, Ok(Some(wanted)), "from {guess}");
                assert!(guess != wanted || looks <= 2, "{looks} looks");
            }
        }
        let never = least(-10, 3, 100, &mut |_| Ok::<bool, ()>(false));
        assert_eq!(never, Ok(None));
    }
}
