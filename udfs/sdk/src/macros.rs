//! `window!` and `join!`: from a declaration to types, manifest and exports.

/// Declares a window operator.
///
/// It makes the types `Parameters`, `Row` (with `time`, milliseconds), `State` and `Output`, whose fields
/// are those declared; a field of `Row` or `Output` is `None` for NULL. It exports the functions named
/// under `exports`, which stand in the same module:
///
/// * `fn assign(&Parameters, &Row) -> impl IntoIterator<Item = Window>`
/// * `fn merge_windows(&Parameters, Window, Window) -> bool`: whether a window joins the group before it
/// * `fn init(&Parameters) -> State`
/// * `fn accumulate(&Parameters, &Row, &mut State)`
/// * `fn merge(&Parameters, &mut State, &State)`: its presence lets windows merge
/// * `fn result(&Parameters, Window, &State) -> impl IntoIterator<Item = Output>`
///
/// Types: BOOLEAN, INT, BIGINT, FLOAT, DOUBLE, DATE, TIMESTAMP; in `row` also STRING and BYTES. A parameter
/// without default must be given by the caller. Text in the declaration holds no quotes or backslashes.
#[macro_export]
macro_rules! window {
    (
        name: $name:literal,
        description: $description:literal,
        parameters { $($p:ident : $pt:ident $(= $pd:literal)?),* $(,)? }
        row { $($r:ident : $rt:ident),* $(,)? }
        state { $($s:ident : $st:ident),* $(,)? }
        output { $($o:ident : $ot:ident),+ $(,)? }
        exports { $($export:ident),+ $(,)? }
    ) => {
        $crate::__parameters!($($p : $pt $(= $pd)?),*);
        $crate::__record!("One record.", Row, $($r : $rt),*);
        $crate::__state!($($s : $st),*);
        $crate::__output!($($o : $ot),+);

        /// The operator's manifest, as the engine reads it.
        pub const MANIFEST: &str = concat!(
            "{\"abi\":1,\"kind\":\"window\",\"name\":\"", $name,
            "\",\"version\":\"", env!("CARGO_PKG_VERSION"),
            "\",\"description\":\"", $description,
            "\",\"inputs\":[{\"name\":\"data\",\"columns\":[", $crate::__fields!($($r : $rt),*),
            "]}],\"output\":[", $crate::__fields!($($o : $ot),*),
            "],\"state\":[", $crate::__fields!($($s : $st),*),
            "],\"parameters\":[", $crate::__fields!($($p : $pt $(= $pd)?),*), "]}"
        );
        $crate::__guest!();
        $($crate::__export!($export);)+
    };
}

/// Declares a join operator that decides pairs.
///
/// It makes the type `Parameters` and one record type a side, with `time` (milliseconds) and the
/// declared fields, `None` for NULL, and exports `fn matches(&Parameters, &Left, &Right) -> bool` of the
/// same module. The name in parentheses is the input's in SQL.
#[macro_export]
macro_rules! join {
    (
        name: $name:literal,
        description: $description:literal,
        parameters { $($p:ident : $pt:ident $(= $pd:literal)?),* $(,)? }
        left $left:ident ($left_name:literal) { $($l:ident : $lt:ident),* $(,)? }
        right $right:ident ($right_name:literal) { $($r:ident : $rt:ident),* $(,)? }
    ) => {
        $crate::__parameters!($($p : $pt $(= $pd)?),*);
        $crate::__record!("One record of the left side.", $left, $($l : $lt),*);
        $crate::__record!("One record of the right side.", $right, $($r : $rt),*);

        /// The operator's manifest, as the engine reads it.
        pub const MANIFEST: &str = concat!(
            "{\"abi\":1,\"kind\":\"join\",\"name\":\"", $name,
            "\",\"version\":\"", env!("CARGO_PKG_VERSION"),
            "\",\"description\":\"", $description,
            "\",\"inputs\":[{\"name\":\"", $left_name,
            "\",\"columns\":[", $crate::__fields!($($l : $lt),*),
            "]},{\"name\":\"", $right_name,
            "\",\"columns\":[", $crate::__fields!($($r : $rt),*),
            "]}],\"output\":[],\"state\":[],\"parameters\":[",
            $crate::__fields!($($p : $pt $(= $pd)?),*), "]}"
        );
        $crate::__guest!();
        $crate::__export!(join, $left, $right);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __type {
    ($a:lifetime BOOLEAN) => { bool };
    ($a:lifetime INT) => { i32 };
    ($a:lifetime BIGINT) => { i64 };
    ($a:lifetime FLOAT) => { f32 };
    ($a:lifetime DOUBLE) => { f64 };
    ($a:lifetime DATE) => { i32 };
    ($a:lifetime TIMESTAMP) => { i64 };
    ($a:lifetime STRING) => { &$a str };
    ($a:lifetime BYTES) => { &$a [u8] };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __name {
    (TIMESTAMP) => {
        "TIMESTAMP(3)"
    };
    ($type:ident) => {
        stringify!($type)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __field {
    ($n:ident : $t:ident) => {
        concat!("{\"name\":\"", stringify!($n), "\",\"type\":\"", $crate::__name!($t), "\"}")
    };
    ($n:ident : $t:ident = $d:literal) => {
        concat!(
            "{\"name\":\"",
            stringify!($n),
            "\",\"type\":\"",
            $crate::__name!($t),
            "\",\"default\":",
            stringify!($d),
            "}"
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __fields {
    () => { "" };
    ($n:ident : $t:ident $(= $d:literal)? $(, $n2:ident : $t2:ident $(= $d2:literal)?)*) => {
        concat!(
            $crate::__field!($n : $t $(= $d)?)
            $(, ",", $crate::__field!($n2 : $t2 $(= $d2)?))*
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __default {
    () => {
        Default::default()
    };
    ($d:literal) => {
        $d
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __parameters {
    ($($p:ident : $pt:ident $(= $pd:literal)?),*) => {
        /// What the caller set.
        #[derive(Clone, Copy, Debug)]
        pub struct Parameters {
            $(#[allow(missing_docs)] pub $p: $crate::__type!('static $pt),)*
        }

        impl Parameters {
            /// The defaults; zero where there is none.
            pub const DEFAULT: Parameters = Parameters { $($p: $crate::__parameter_default!($pt $(, $pd)?)),* };

            #[allow(dead_code, unused_variables, unused_mut, unused_assignments)]
            fn of_frame(input: &$crate::Input<'_>) -> Result<Parameters, &'static str> {
                let mut column = 0;
                Ok(Parameters { $($p: {
                    column += 1;
                    input.cell(column - 1, 0).ok_or(concat!(stringify!($p), " is NULL"))?
                }),* })
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __parameter_default {
    ($t:ident, $d:literal) => {
        $d
    };
    (BOOLEAN) => {
        false
    };
    (FLOAT) => {
        0.0
    };
    (DOUBLE) => {
        0.0
    };
    ($t:ident) => {
        0
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __record {
    ($doc:literal, $record:ident, $($r:ident : $rt:ident),*) => {
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $record<'a> {
            /// Event time, milliseconds since 1970.
            pub time: i64,
            $(#[allow(missing_docs)] pub $r: Option<$crate::__type!('a $rt)>,)*
            #[doc(hidden)]
            pub frame: core::marker::PhantomData<&'a ()>,
        }

        impl<'a> $crate::shim::Record<'a> for $record<'a> {
            const COLUMNS: usize = 1 $(+ { let _ = stringify!($r); 1 })*;
            type Readers =
                ($crate::Reader<'a, i64>, $($crate::Reader<'a, $crate::__type!('a $rt)>,)*);

            #[allow(unused_assignments, unused_mut)]
            #[inline(always)]
            fn readers(input: &$crate::Input<'a>, first: usize) -> Self::Readers {
                let mut column = first;
                (input.reader(first), $({ column += 1; let _ = stringify!($r); input.reader(column) },)*)
            }

            #[inline(always)]
            fn read(readers: &Self::Readers, row: usize) -> Self {
                let (time, $($r,)*) = readers;
                $record {
                    time: time.get(row).unwrap_or_default(),
                    $($r: $r.get(row),)*
                    frame: core::marker::PhantomData,
                }
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __state {
    ($($s:ident : $st:ident),*) => {
        /// The accumulator of one window. It starts as zeros unless `init` is exported.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct State {
            $(#[allow(missing_docs)] pub $s: $crate::__type!('static $st),)*
        }

        impl $crate::shim::Accumulator for State {
            #[allow(unused_assignments, unused_mut)]
            const SIZE: usize = {
                let mut at = 0usize;
                $(
                    let size = <$crate::__type!('static $st) as $crate::shim::Field>::SIZE;
                    at = at.next_multiple_of(size) + size;
                )*
                at.next_multiple_of(8)
            };

            #[allow(unused_assignments, unused_mut, unused_variables)]
            #[inline(always)]
            fn read(bytes: &[u8]) -> State {
                let mut at = 0;
                State { $($s: $crate::shim::take::<$crate::__type!('static $st)>(bytes, &mut at)),* }
            }

            #[allow(unused_assignments, unused_mut, unused_variables)]
            #[inline(always)]
            fn write(&self, bytes: &mut [u8]) {
                let mut at = 0;
                $($crate::shim::put(bytes, &mut at, self.$s);)*
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __output {
    ($($o:ident : $ot:ident),+) => {
        /// One result row.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct Output {
            $(#[allow(missing_docs)] pub $o: Option<$crate::__type!('static $ot)>,)+
        }

        impl $crate::shim::Answer for Output {
            const TYPES: &'static [u8] =
                &[$crate::abi::types::INT $(, $crate::abi::types::$ot)+];

            #[allow(unused_assignments)]
            fn write(&self, table: &mut $crate::Table<'_>) {
                let mut column = 1;
                $(table.set(column, self.$o); column += 1;)+
            }
        }
    };
}

/// The manifest's section and the exports every guest has.
#[doc(hidden)]
#[macro_export]
macro_rules! __guest {
    () => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[used]
            #[unsafe(link_section = "highwater.manifest")]
            static SECTION: [u8; MANIFEST.len()] = $crate::shim::section(MANIFEST);

            #[unsafe(no_mangle)]
            extern "C" fn hw_abi_1() {}

            #[unsafe(no_mangle)]
            extern "C" fn hw_arena(bytes: usize) -> usize {
                $crate::wasm::arena(bytes)
            }

            #[unsafe(no_mangle)]
            extern "C" fn hw_configure(frame: *mut u8, _len: usize) -> i32 {
                // SAFETY: the engine passes the address of a frame.
                let frame = unsafe { $crate::wasm::frame(frame) };
                $crate::shim::configure(frame, Parameters::of_frame, |p| PARAMETERS.set(p))
            }
        };
        #[cfg(target_arch = "wasm32")]
        static PARAMETERS: $crate::wasm::Global<Parameters> =
            $crate::wasm::Global::new(Parameters::DEFAULT);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    (assign) => {
        $crate::__shim!(win_assign, |frame, p| {
            $crate::shim::assign(frame, |row: &Row<'_>| assign(&p, row))
        });
    };
    (merge_windows) => {
        $crate::__shim!(win_merge_windows, |frame, p| {
            $crate::shim::merge_windows(frame, |a, b| merge_windows(&p, a, b))
        });
    };
    (init) => {
        $crate::__shim!(win_init, |frame, p| { $crate::shim::init(frame, || init(&p)) });
    };
    (accumulate) => {
        $crate::__shim!(win_accumulate, |frame, p| {
            $crate::shim::accumulate(frame, |row: &Row<'_>, state: &mut State| {
                accumulate(&p, row, state)
            })
        });
    };
    (merge) => {
        $crate::__shim!(win_merge, |frame, p| {
            $crate::shim::merge(frame, |state: &mut State, other: &State| merge(&p, state, other))
        });
    };
    (result) => {
        $crate::__shim!(win_result, |frame, p| {
            $crate::shim::result(frame, |window, state: &State| result(&p, window, state))
        });
    };
    (join, $left:ident, $right:ident) => {
        $crate::__shim!(join_match, |frame, p| {
            $crate::shim::join(frame, |left: &$left<'_>, right: &$right<'_>| {
                matches(&p, left, right)
            })
        });
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __shim {
    ($name:ident, |$frame:ident, $p:ident| $body:expr) => {
        const _: () = {
            fn run($frame: &mut [u8], $p: Parameters) -> i32 {
                $body
            }

            #[cfg(target_arch = "wasm32")]
            #[unsafe(no_mangle)]
            extern "C" fn $name(frame: *mut u8) -> i32 {
                // SAFETY: the engine passes the address of a frame.
                run(unsafe { $crate::wasm::frame(frame) }, PARAMETERS.get())
            }

            // Natively nothing calls it, but its types are checked all the same.
            #[cfg(not(target_arch = "wasm32"))]
            const _: fn(&mut [u8], Parameters) -> i32 = run;
        };
    };
}
