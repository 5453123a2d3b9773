//! `function!`: from a declaration to manifest and export.

/// Declares a function of one row's values, and exports the function `call` of the same module.
///
/// * `nulls: strict`: its result is NULL when an argument is. `fn call(a: i64, b: &str) -> i64`, or an `Option`
///   where it may give NULL itself.
/// * `nulls: called`: it sees every row. `fn call(a: Option<i64>, b: Option<&str>) -> Option<i64>`.
///
/// A function that returns STRING or BYTES writes its result instead of returning it:
/// `fn call(a: i64, out: &mut Text) -> Option<()>`, where `None` is NULL. A STRING has to be UTF-8.
#[macro_export]
macro_rules! function {
    (
        name: $name:literal,
        description: $description:literal,
        arguments { $($a:ident : $at:ident),* $(,)? }
        returns: $returns:ident,
        nulls: $nulls:ident $(,)?
    ) => {
        $crate::__parameters!();

        /// The function's manifest, as the engine reads it.
        pub const MANIFEST: &str = concat!(
            "{\"abi\":1,\"kind\":\"function\",\"name\":\"", $name,
            "\",\"version\":\"", env!("CARGO_PKG_VERSION"),
            "\",\"description\":\"", $description,
            "\",\"inputs\":[{\"name\":\"arguments\",\"columns\":[", $crate::__fields!($($a : $at),*),
            "]}],\"output\":[", $crate::__fields!(result : $returns),
            "],\"state\":[],\"parameters\":[],\"strict\":", $crate::__strict!($nulls), "}"
        );
        $crate::__guest!();
        $crate::__shim!(fn_call, |frame, _p| {
            $crate::__function!($returns, $nulls, frame, $($a : $at),*)
        });
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __strict {
    (strict) => {
        "true"
    };
    (called) => {
        "false"
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __readers {
    ($($a:ident : $at:ident),*) => {
        #[allow(unused_mut, unused_assignments, unused_variables)]
        |input| {
            let mut column = 0;
            ($({
                column += 1;
                let _ = stringify!($a);
                input.reader::<$crate::__type!('_ $at)>(column - 1)
            },)*)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __function {
    (STRING, $nulls:ident, $frame:ident, $($a:ident : $at:ident),*) => {
        $crate::__text!($crate::abi::types::STRING, $nulls, $frame, $($a : $at),*)
    };
    (BYTES, $nulls:ident, $frame:ident, $($a:ident : $at:ident),*) => {
        $crate::__text!($crate::abi::types::BYTES, $nulls, $frame, $($a : $at),*)
    };
    ($returns:ident, strict, $frame:ident, $($a:ident : $at:ident),*) => {
        $crate::call::values::<$crate::__type!('static $returns), _, _, _>(
            $frame,
            $crate::abi::types::$returns,
            $crate::__readers!($($a : $at),*),
            #[allow(unused_variables)]
            |($($a,)*), block| {
                $(let $a = $a.block(block)?;)*
                Some(move |i: usize| call($($a.get(i)),*))
            },
            #[allow(unused_variables)]
            |($($a,)*), row| Some(call($($a.get(row)?),*)),
        )
    };
    ($returns:ident, called, $frame:ident, $($a:ident : $at:ident),*) => {
        $crate::call::values::<$crate::__type!('static $returns), _, _, _>(
            $frame,
            $crate::abi::types::$returns,
            $crate::__readers!($($a : $at),*),
            #[allow(unused_variables)]
            |($($a,)*), block| {
                $(let $a = *$a;)*
                Some(move |i: usize| call($($a.get(block * $crate::BLOCK + i)),*))
            },
            #[allow(unused_variables)]
            |($($a,)*), row| Some(call($($a.get(row)),*)),
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __text {
    ($of:expr, strict, $frame:ident, $($a:ident : $at:ident),*) => {
        $crate::call::text(
            $frame,
            $of,
            $crate::__readers!($($a : $at),*),
            #[allow(unused_variables)]
            |($($a,)*), row, out| call($($a.get(row)?,)* out),
        )
    };
    ($of:expr, called, $frame:ident, $($a:ident : $at:ident),*) => {
        $crate::call::text(
            $frame,
            $of,
            $crate::__readers!($($a : $at),*),
            #[allow(unused_variables)]
            |($($a,)*), row, out| call($($a.get(row),)* out),
        )
    };
}
