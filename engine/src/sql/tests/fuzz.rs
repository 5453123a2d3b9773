//! Good scripts, broken in many small ways from a fixed seed: nothing may panic, every error has a place.

use super::{Guests, TABLES};
use crate::sql::{needs, plan};

const SEEDS: &[&str] = &[
    TABLES,
    "INSERT INTO out2 SELECT net, COUNT(*) FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), \
     INTERVAL '1:30' HOUR TO MINUTE, INTERVAL '5' SECOND)) WHERE mag > 2.5 AND net LIKE 'a%' \
     GROUP BY net, window_start, window_end HAVING SUM(mag) FILTER (WHERE depth < 10) > -1e3;",
    "CREATE VIEW v (x, y) AS SELECT CASE a WHEN 1 THEN 'ü' ELSE s END, CAST(b AS DECIMAL(10, 2)) FROM plain; \
     EXPLAIN PLAN FOR SELECT x, y / 3 AS z FROM v WHERE x IS NOT NULL AND y BETWEEN 1 AND 2 OR x IN ('a', 'b')",
    "EXECUTE STATEMENT SET BEGIN INSERT INTO out2 (n, k) SELECT b, TRIM(BOTH ' ' FROM s) FROM plain; \
     INSERT INTO out2 SELECT s, EXTRACT(HOUR FROM ts) FROM plain; END;",
    "SELECT * FROM TABLE(aftershocks(mainshock => TABLE quakes PARTITION BY net, aftershock => TABLE \
     (SELECT * FROM quakes WHERE mag < 9) PARTITION BY net, ON_TIME => DESCRIPTOR(event_time), \
     LOWER => INTERVAL '0' SECOND, UPPER => INTERVAL '3' DAY, km => 100.5)) AS pairs",
    "CREATE VIEW v AS SELECT a, ROW_NUMBER() OVER (PARTITION BY MOD(b, 3), s ORDER BY a DESC NULLS FIRST, b + 1) \
     AS n, s FROM plain WHERE a > 0; \
     SELECT s, COUNT(*) AS c FROM v WHERE n BETWEEN 1 AND 3 AND v.n <> 2 GROUP BY s \
     ORDER BY 2 DESC, MAX(a) LIMIT 5 OFFSET 1",
    "WITH w AS (SELECT * FROM TABLE(swarm(TABLE quakes PARTITION BY net, DESCRIPTOR(event_time), 30))) \
     SELECT net, `window_end` - INTERVAL '1' DAY, quakes FROM w -- the end\n",
];

/// A small generator: the tests need the same scripts on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

/// Pieces that matter to the parser, so that mutations stay near the grammar.
const PIECES: &[&str] = &[
    "(",
    ")",
    ",",
    ";",
    "'",
    "`",
    "\"",
    "--",
    "/*",
    "*",
    ".",
    "=>",
    "TABLE",
    "SELECT",
    "FROM",
    "AS",
    "NULL",
    "INTERVAL",
    "99999999999999999999999999999999999999999",
    "-",
    "1e999",
    "''",
    "\u{0}",
    "é",
    "GROUP BY",
    "PARTITION BY",
    "OVER ()",
    "ROW_NUMBER()",
    "ORDER BY",
    "LIMIT 1",
    "n <= 1",
    "WITH",
    "$TABLE",
    "::",
    "[1]",
    "CAST(",
    "DESCRIPTOR(",
    "\n",
    "UNION",
    "END",
    "X'0'",
    "0.",
    "window_start",
];

/// The words, spaces and signs of a text.
fn pieces(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for c in text.chars() {
        match found.last_mut() {
            Some(word) if c.is_alphanumeric() && word.chars().all(char::is_alphanumeric) => {
                word.push(c)
            }
            _ => found.push(c.to_string()),
        }
    }
    found
}

fn mutate(text: &str, random: &mut Random) -> String {
    let mut words = pieces(text);
    for _ in 0..=random.below(4) {
        let at = random.below(words.len());
        match random.below(5) {
            0 => {
                words.remove(at);
            }
            1 => words.insert(at, PIECES[random.below(PIECES.len())].into()),
            2 => words[at] = PIECES[random.below(PIECES.len())].into(),
            3 => {
                let other = random.below(words.len());
                words.swap(at, other);
            }
            _ => {
                let end = (at + random.below(12)).min(words.len());
                let copy = words[at..end].to_vec();
                let to = random.below(words.len());
                words.splice(to..to, copy);
            }
        }
        if words.is_empty() {
            break;
        }
    }
    words.concat()
}

#[test]
fn mutated_scripts_never_panic_and_every_error_has_a_place() {
    let mut random = Random(7);
    let mut refused = 0;
    for round in 0..3_000 {
        let seed = SEEDS[round % SEEDS.len()];
        let mutated = mutate(seed, &mut random);
        let script = if round % SEEDS.len() == 0 { mutated } else { format!("{TABLES}{mutated}") };
        if let Err(errors) = plan(&script, &Guests) {
            refused += 1;
            assert!(!errors.is_empty(), "{script}");
            for error in errors {
                let span = error.span.unwrap_or_else(|| panic!("{script}\n{error}"));
                assert!(span.start.line >= 1 && span.start.column >= 1, "{script}\n{error}");
                assert!(!error.message.is_empty(), "{script}");
            }
        }
        let _ = needs(&script);
    }
    assert!(refused > 1_000, "only {refused} mutations were noticed");
}
