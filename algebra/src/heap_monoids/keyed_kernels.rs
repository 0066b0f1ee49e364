//! What kernels over states by key have in common, as macros: all of a kernel but what is added and
//! presented.

/// What kernels over [`Keyed`](crate::states::Keyed) states have in common: all but what is added and
/// presented. The keys are bytes, unless another type is given.
macro_rules! keyed_kernel {
    ($entry:ty, $variant:ident, $kernel:ident => $shape:expr) => {
        keyed_kernel!($entry, Box<[u8]>, $variant, $kernel => $shape);
    };
    ($entry:ty, $key:ty, $variant:ident, $kernel:ident => $shape:expr) => {
        type State = Keyed<$entry, $key>;
        type Group = KeyedBuilder<$entry, $key>;

        fn group(&self) -> Self::Group {
            let $kernel = self;
            KeyedBuilder::new($shape)
        }
        fn merge(group: &mut Self::Group, state: &Self::State) -> Checked<()> {
            group.merge(state)
        }
        fn finish(group: Self::Group) -> Checked<Self::State> {
            group.finish()
        }
        #[inline]
        fn heap_size(group: &Self::Group) -> usize {
            group.heap_size()
        }
        fn decode(&self, bytes: &[u8]) -> Checked<Self::State> {
            let $kernel = self;
            Keyed::decode($shape, bytes)
        }
        fn heap_state(state: Self::State) -> HeapState {
            HeapState::$variant(state)
        }
    };
}
pub(super) use keyed_kernel;

/// What kernels over [`WordValueCounts`] have in common: all but what is presented.
macro_rules! word_value_counts_kernel {
    ($kernel:ident => $shape:expr) => {
        type State = WordValueCounts;
        type Group = WordValueCountsBuilder;

        fn group(&self) -> WordValueCountsBuilder {
            let $kernel = self;
            WordValueCountsBuilder::new($shape)
        }
        #[inline]
        fn add(&self, group: &mut WordValueCountsBuilder, [word]: [u64; 1]) {
            group.add(word);
        }
        fn merge(group: &mut WordValueCountsBuilder, state: &WordValueCounts) -> Checked<()> {
            group.merge(state)
        }
        fn finish(group: WordValueCountsBuilder) -> Checked<WordValueCounts> {
            group.finish()
        }
        #[inline]
        fn heap_size(group: &WordValueCountsBuilder) -> usize {
            group.heap_size()
        }
        fn decode(&self, bytes: &[u8]) -> Checked<WordValueCounts> {
            let $kernel = self;
            WordValueCounts::decode($shape, bytes)
        }
        fn heap_state(state: WordValueCounts) -> HeapState {
            HeapState::WordValueCounts(state)
        }
    };
}
pub(super) use word_value_counts_kernel;
