//! A lossy memory of values that came in: it recognises most repetitions at the price of one comparison,
//! and forgets where two values meet. What it lets through twice is sorted out later.

/// Places are not worth more memory than this.
const MAX_PLACES: usize = 1 << 16;

/// The last value of each place.
#[derive(Debug)]
pub(crate) struct Recent<K>(Vec<K>);

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Recent(Vec::new())
    }
}

impl<K: Copy + Eq> Recent<K> {
    /// Whether the value is the last that came to its place; now it is. `spread` decides the place.
    #[inline]
    pub(crate) fn is_repeated(&mut self, value: K, spread: u64) -> bool {
        let n_places = self.0.len();
        // The number of places is zero or a power of two.
        match self.0.get_mut(spread as usize & n_places.wrapping_sub(1)) {
            Some(place) => std::mem::replace(place, value) == value,
            None => false,
        }
    }

    /// Makes room for this many values. `known` is a value that already came in.
    pub(crate) fn make_room(&mut self, n_values: usize, known: K) {
        let n_places = (2 * n_values).next_power_of_two().min(MAX_PLACES);
        if n_places > self.0.len() {
            self.0 = vec![known; n_places];
        }
    }

    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        self.0.capacity() * size_of::<K>()
    }
}
