//! What touches the host: the log, the arena, the parameters' place, the panic's last words.
#![allow(unsafe_code, reason = "the boundary to the host; everything above it is safe")]

use crate::Level;

#[cfg(target_arch = "wasm32")]
mod host {
    #[link(wasm_import_module = "hw")]
    unsafe extern "C" {
        pub safe fn log(level: i32, text: *const u8, len: usize);
        pub safe fn abort(text: *const u8, len: usize);
    }
}

#[cfg(target_arch = "wasm32")]
pub(crate) fn log(level: Level, line: &str) {
    host::log(level as i32, line.as_ptr(), line.len());
}

/// Outside a guest there is no trace to write to.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn log(_: Level, _: &str) {}

/// A panic's message reaches the trace, then the guest traps.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    use core::fmt::Write as _;
    let mut line = Line { bytes: [0; 256], len: 0 };
    // What does not fit is cut: a short message is better than none.
    let _ = write!(line, "{}", info.message());
    if let Some(place) = info.location() {
        let _ = write!(line, " ({}:{})", place.file(), place.line());
    }
    host::abort(line.bytes.as_ptr(), line.len);
    core::arch::wasm32::unreachable()
}

#[cfg(target_arch = "wasm32")]
struct Line {
    bytes: [u8; 256],
    len: usize,
}

#[cfg(target_arch = "wasm32")]
impl core::fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes().take(self.bytes.len() - self.len) {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
        Ok(())
    }
}

/// What only a guest has: statics without threads, frames at addresses.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod wasm {
    use core::cell::Cell;

    /// A value of the instance's. A guest has one thread.
    pub struct Global<T>(Cell<T>);

    // SAFETY: guests are compiled without threads; the engine refuses shared memories.
    unsafe impl<T> Sync for Global<T> {}

    impl<T: Copy> Global<T> {
        pub const fn new(value: T) -> Global<T> {
            Global(Cell::new(value))
        }

        pub fn get(&self) -> T {
            self.0.get()
        }

        pub fn set(&self, value: T) {
            self.0.set(value);
        }
    }

    const PAGE: usize = 65_536;
    static ARENA: Global<(usize, usize)> = Global::new((0, 0));

    /// Room for frames: fresh pages behind everything else, made larger in place where possible.
    pub fn arena(bytes: usize) -> usize {
        let (address, len) = ARENA.get();
        if bytes <= len {
            return address;
        }
        let end = core::arch::wasm32::memory_size::<0>() * PAGE;
        let (address, len) = if address + len == end { (address, len) } else { (end, 0) };
        let pages = (bytes - len).div_ceil(PAGE);
        if core::arch::wasm32::memory_grow::<0>(pages) == usize::MAX {
            return 0;
        }
        ARENA.set((address, len + pages * PAGE));
        address
    }

    /// The frame at an address the engine passed.
    ///
    /// # Safety
    /// The engine has written a frame there, and nothing else refers to it.
    pub unsafe fn frame(address: *mut u8) -> &'static mut [u8] {
        // SAFETY: a frame has a header, and its total length stands at 16 and lies in the arena.
        unsafe {
            let len = address.add(16).cast::<u32>().read();
            core::slice::from_raw_parts_mut(address, len as usize)
        }
    }
}
