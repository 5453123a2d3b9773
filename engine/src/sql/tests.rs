//! Tests of the whole front end: scripts to plans, mistakes to diagnostics.

use super::*;
use crate::plan::explain;
use crate::schema::DataType;
use crate::udf::manifest::{GuestInput, GuestKind, Parameter, Typed};
use crate::value::Value;

/// Two guests: a window `swarm.wasm`, a join `aftershocks.wasm`.
pub(super) struct Guests;

fn typed(name: &str, data_type: DataType) -> Typed {
    Typed { name: name.into(), data_type }
}

impl Catalog for Guests {
    fn guest(&self, path: &str) -> Result<Arc<Manifest>> {
        let parameter =
            |name: &str, data_type, default| Parameter { typed: typed(name, data_type), default };
        let quake = || vec![typed("mag", DataType::Double)];
        let (kind, inputs, output, parameters) = match path {
            "swarm.wasm" => (
                GuestKind::Window,
                vec![GuestInput { name: "data".into(), columns: quake() }],
                vec![typed("quakes", DataType::BigInt), typed("strongest", DataType::Double)],
                vec![parameter("base_gap", DataType::BigInt, Some(Value::BigInt(60)))],
            ),
            "aftershocks.wasm" => (
                GuestKind::Join,
                vec![
                    GuestInput { name: "mainshock".into(), columns: quake() },
                    GuestInput { name: "aftershock".into(), columns: quake() },
                ],
                vec![],
                vec![parameter("km", DataType::Double, None)],
            ),
            "linear.wasm" => (
                GuestKind::Function,
                vec![GuestInput {
                    name: "arguments".into(),
                    columns: vec![typed("a", DataType::BigInt), typed("x", DataType::Double)],
                }],
                vec![typed("result", DataType::BigInt)],
                vec![],
            ),
            _ => {
                return Err(Diagnostic::new(
                    "guest.missing",
                    format!("there is no module '{path}'"),
                ));
            }
        };
        Ok(Arc::new(Manifest {
            abi: 1,
            kind,
            name: path.trim_end_matches(".wasm").into(),
            version: "1.0.0".into(),
            description: "A guest of the tests".into(),
            inputs,
            output,
            state: vec![],
            parameters,
            strict: true,
        }))
    }
}

/// Tables the scripts below read and write.
pub(super) const TABLES: &str = "\
CREATE TABLE quakes (
  id STRING, net STRING, mag DECIMAL(4, 2), depth DOUBLE, event_ms BIGINT,
  event_time AS TO_TIMESTAMP_LTZ(event_ms, 3),
  WATERMARK FOR event_time AS event_time - INTERVAL '4' HOUR
) WITH ('connector' = 'filesystem', 'path' = 'quakes.jsonl', 'format' = 'json');
CREATE TABLE plain (a INT, b BIGINT, s STRING, ts TIMESTAMP(3));
CREATE TABLE out2 (k STRING, n BIGINT) WITH ('connector' = 'print');
CREATE FUNCTION swarm AS 'swarm.wasm' LANGUAGE WASM;
CREATE FUNCTION aftershocks AS 'aftershocks.wasm' LANGUAGE WASM;
CREATE FUNCTION linear AS 'linear.wasm' LANGUAGE WASM;
";

/// The plan of a script after the tables, as text.
pub(super) fn explained(script: &str) -> String {
    match plan(&format!("{TABLES}{script}"), &Guests) {
        Ok(plan) => explain(&plan),
        Err(errors) => {
            panic!("{script}\n{}", errors.iter().map(|e| format!("{e}\n")).collect::<String>())
        }
    }
}

mod aggregate_mistakes;
mod fuzz;
mod joins;
mod mistakes;
mod moments;
mod narrow;
mod over_mistakes;
mod overs;
mod plans;
mod ranks;
mod sets;
mod sinks;
mod values;
mod wrong;
