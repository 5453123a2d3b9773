//! `highwater help`: of a command, or on a topic.

use clap::{Args, CommandFactory as _};
use highwater_engine::aggregate::Function as Aggregate;
use highwater_engine::expr::functions;
use highwater_engine::sql::connector::CONNECTORS;
use highwater_engine::sql::settings::SETTINGS;

use super::console::Console;
use super::{Cli, Done, Failure};

#[derive(Args)]
pub(super) struct HelpArgs {
    /// A command, or `sql`: the language, its functions, connectors and settings
    topic: Option<String>,
}

pub(super) fn help(args: &HelpArgs, console: &mut Console) -> Done {
    let mut cli = Cli::command();
    let text = match args.topic.as_deref() {
        None => cli.render_long_help(),
        Some("sql") => return console.print(&sql()),
        Some(topic) => {
            // Built, so that the usage line knows the command's full name.
            cli.build();
            match cli.find_subcommand_mut(topic) {
                Some(command) => command.render_long_help(),
                None => {
                    console.say(&format!("error: no command or topic `{topic}`"));
                    console.say("help: topics: `sql`; commands: see `highwater help`");
                    return Err(Failure::Input);
                }
            }
        }
    };
    console.print(&format!("{text}\n"))
}

/// The language as the engine's own lists have it.
fn sql() -> String {
    let mut out = String::from(INTRODUCTION);
    out += "\nCONNECTORS (CREATE TABLE … WITH ('connector' = '…'))\n";
    for connector in CONNECTORS {
        let uses = match (connector.reads, connector.writes) {
            (true, true) => "reads and writes",
            (true, false) => "reads",
            _ => "writes",
        };
        out += &format!("\n  {} ({uses})  {}\n", connector.name, connector.doc);
        for option in connector.options {
            let required = if option.required { ", required" } else { "" };
            let value = option.value.describe();
            out += &format!("    {} ({value}{required})  {}\n", option.key, option.doc);
        }
    }
    out += "\nSETTINGS (SET 'key' = 'value')\n\n";
    for setting in SETTINGS {
        out += &format!("  {} ({})  {}\n", setting.key, setting.value.describe(), setting.doc);
    }
    out += GUESTS;
    let aggregates: Vec<&str> = Aggregate::ALL.iter().map(|f| f.name()).collect();
    out += &format!("\nAGGREGATES\n\n  {}\n", aggregates.join(", "));
    out += "\nFUNCTIONS AND OPERATORS\n\n";
    for function in functions() {
        out += &format!("  {}  {}\n", function.syntax, function.doc);
    }
    out
}

/// What a script declares with CREATE FUNCTION, and where it stands.
const GUESTS: &str = "
FUNCTIONS OF YOUR OWN (CREATE FUNCTION f AS 'f.wasm' LANGUAGE WASM)

  The module's manifest says what f is; the SDK in udfs/sdk writes both.
  function   SELECT f(a, b) FROM t           wherever a value stands; its arguments widen to the declared
             types. strict: NULL when an argument is; called: it sees every row. It gets whole columns.
  window     TABLE(f(TABLE t PARTITION BY k, DESCRIPTOR(ts), parameter => 1))
  join       TABLE(f(left => TABLE a PARTITION BY k, right => TABLE b PARTITION BY k,
             UPPER => INTERVAL '1' HOUR))
";

const INTRODUCTION: &str = "\
SQL in the dialect of Apache Flink

  CREATE TABLE name (column TYPE, computed AS expression,
    WATERMARK FOR column AS column - INTERVAL '5' SECOND) WITH ('connector' = '…', …);
  CREATE FUNCTION name AS 'guest.wasm' LANGUAGE WASM;
  CREATE VIEW name AS SELECT …;
  SET 'key' = 'value';
  INSERT INTO table SELECT …;
  EXPLAIN SELECT …;
  SELECT …;                          a last SELECT prints its rows

WINDOWS

  TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '10' MINUTES))
  TABLE(HOP(TABLE t, DESCRIPTOR(time), INTERVAL '2' MINUTES, INTERVAL '10' MINUTES))
                                     the slide first, then the size
  TABLE(CUMULATE(TABLE t, DESCRIPTOR(time), INTERVAL '1' HOUR, INTERVAL '1' DAY))
                                     the step first, then the longest window
  TABLE(SESSION(TABLE t PARTITION BY key, DESCRIPTOR(time), INTERVAL '5' MINUTES))
  … GROUP BY key, window_start, window_end
                                     both ends: a row a window, when it closes; else a changelog
  … GROUP BY window_start, window_end, GROUPING SETS ((a, b), (a), ())
                                     also ROLLUP (a, b), CUBE (a, b); GROUPING(a) is 1 where a is left out

  SUM(x) OVER (PARTITION BY key ORDER BY time RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW)
                                     beside each row, over those before it; also ROWS BETWEEN 9 PRECEDING,
                                     UNBOUNDED PRECEDING; ROW_NUMBER() by time; WINDOW w AS (…)

JOINS

  a JOIN b ON a.k = b.k AND a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts
                                     within an interval; also LEFT, RIGHT, FULL; the watermark frees rows
  a JOIN b ON a.k = b.k AND a.window_start = b.window_start AND a.window_end = b.window_end
                                     rows of a window, when it closes; also LEFT, RIGHT, FULL
  a JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.k = b.k
                                     the version of b at the row's time; also LEFT. b is a table with a primary
                                     key, or a view of the last rows: ROW_NUMBER() OVER (PARTITION BY k ORDER BY
                                     ts DESC), number 1
  a JOIN b ON a.k = b.k              all rows of both, kept for ever, a changelog where rows are taken back;
                                     also LEFT, RIGHT, FULL, CROSS
  WHERE x IN (SELECT …), NOT IN, EXISTS (SELECT … WHERE b.k = a.k), NOT EXISTS

CHANGELOGS

  SELECT key, COUNT(*) FROM t GROUP BY key HAVING COUNT(*) > 1
  SELECT DISTINCT …; COUNT(DISTINCT x); … UNION ALL …; … UNION …
  SELECT … FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY key ORDER BY value DESC) AS n FROM t)
    WHERE n <= 3                     the first three of each key; of a window when it closes
  SELECT … FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY value DESC) <= 3
                                     the same
  SELECT a, GROUPING_ID(a, b), COUNT(*) FROM t GROUP BY CUBE (a, b)
  SELECT … FROM t WHERE x > (SELECT MAX(y) FROM u)
                                     a query as a value: an aggregate without GROUP BY; also in SELECT, HAVING
  SELECT … ORDER BY value DESC LIMIT 3

TYPES

  BOOLEAN, INT, BIGINT, FLOAT, DOUBLE, DECIMAL(p, s), STRING, BYTES, DATE, TIMESTAMP(3),
  TIMESTAMP_LTZ(3)
";
