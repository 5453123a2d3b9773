use highwater_engine::*;
use std::rc::Rc;
use std::sync::Arc;
struct NoCat;
impl sql::Catalog for NoCat {
    fn guest(&self, _: &str) -> error::Result<Arc<udf::manifest::Manifest>> {
        Err(error::Diagnostic::new("x", "no"))
    }
}
struct NoBox;
impl udf::Sandbox for NoBox {
    fn instantiate(&self, _: &[u8]) -> error::Result<Box<dyn udf::Instance>> {
        panic!()
    }
}

fn quakes() -> source::Files {
    let mut f = source::Files::default();
    f.insert(
        "data/earthquakes.jsonl",
        std::fs::read("../examples/data/earthquakes.jsonl").unwrap(),
    );
    f
}
const SQL: &str = "CREATE TABLE quakes (id STRING, net STRING, mag DOUBLE, event_time BIGINT, seen_time BIGINT, ts AS TO_TIMESTAMP_LTZ(event_time, 3), WATERMARK FOR ts AS ts - INTERVAL '4' HOUR) WITH ('connector'='filesystem','path'='data/earthquakes.jsonl','format'='json');
SET 'highwater.quakes.arrival' = 'seen_time';
SET 'execution.checkpointing.interval' = '6 h';
SELECT net, window_start, window_end, COUNT(*) AS n, MAX(mag) AS m FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(ts), INTERVAL '6' HOURS)) GROUP BY net, window_start, window_end;";

fn graph(sqltext: &str, p: u32) -> graph::Graph {
    let plan = match sql::plan(sqltext, &NoCat) {
        Ok(p) => p,
        Err(e) => panic!("{e:?}"),
    };
    graph::Graph::new(plan, p, 1).unwrap()
}
fn inputs(g: &graph::Graph, retain: bool) -> (source::inlet::Inlet, Vec<Vec<u16>>) {
    let files = quakes();
    let mut ins = vec![];
    let mut parts = vec![];
    for (spec, _) in g.sources() {
        let i = source::open(spec, &g.plan().settings, &files, &Default::default(), 1).unwrap();
        parts.push(i.iter().map(|x| x.partition).collect());
        ins.push(i);
    }
    (source::inlet::Inlet::new(ins, None, retain).unwrap(), parts)
}
fn run(p: u32, rows: usize) -> (Vec<String>, runner::Report) {
    let g = graph(SQL, p);
    let (inlet, parts) = inputs(&g, false);
    let sb: Rc<dyn udf::Sandbox> = Rc::new(NoBox);
    let tasks = g.build(&parts, &Default::default(), &sb).unwrap();
    let mut out = vec![];
    let r = runner::Runner::new(&g, inlet, tasks)
        .run(
            rows,
            &mut |_, b| {
                for i in 0..b.rows {
                    out.push(b.row_text(i));
                }
                Ok(())
            },
            &mut |_| {},
        )
        .unwrap();
    (out, r)
}
fn simulate(p: u32, faults: &[&str]) -> (Vec<String>, usize, String) {
    let g = graph(SQL, p);
    let (inlet, parts) = inputs(&g, true);
    let faults: Vec<_> =
        faults.iter().map(|f| sim::fault::Fault::parse(f, &g.header).unwrap()).collect();
    let job = sim::Job {
        graph: g,
        guests: Default::default(),
        sandbox: Rc::new(NoBox),
        partitions: parts,
        checkpoint_interval: Some(6 * 3_600_000_000),
        restart_delay: 1_000_000,
        batch_rows: 1,
    };
    let mut s = sim::Sim::new(Rc::new(job), inlet, &faults).unwrap();
    let mut t = vec![];
    let mut h = trace::TraceHash::default();
    let mut n = 0;
    let keep = std::env::var("SHOW").is_ok();
    loop {
        let more = s.step(&mut t);
        for e in &t {
            h.update(e, &s.job().graph.header);
            if keep && n < 120 {
                println!("{}", e.line(&s.job().graph.header));
            }
            n += 1;
        }
        t.clear();
        if !more {
            break;
        }
    }
    assert_eq!(s.state(), &sim::State::Finished);
    (
        s.tables()[0]
            .rows()
            .map(|(_, _, r)| format!("{:?}", r.iter().map(|v| v.to_text()).collect::<Vec<_>>()))
            .collect(),
        n,
        h.hex(),
    )
}
#[test]
fn quakes_run() {
    let (a, r) = run(1, 1024);
    println!("{} rows {:?}", a.len(), r);
    for l in &a[..5.min(a.len())] {
        println!("{l}");
    }
    for (p, b) in [(1, 1), (2, 1), (4, 7), (2, 1024), (4, 1024)] {
        {
            let x = run(p, b).0;
            println!("p{p} b{b}: {} of {}", x.len(), a.len());
        }
    }
    let t = std::time::Instant::now();
    let (s, n, h) = simulate(1, &[]);
    println!("sim {n} events {h} {:?}", t.elapsed());
    assert_eq!(s.len(), a.len());
    for p in [1, 2, 4] {
        let (s2, n2, h2) = simulate(p, &["at 3d crash window/0"]);
        println!("p{p} {n2} {h2}");
        assert_eq!(s2, s);
    }
}
