//! Names, each with what was last known of it.

use std::cmp::Reverse;
use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct Latest<T> {
    by_name: HashMap<String, (u64, T)>,
    n_touched: u64,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self { by_name: HashMap::new(), n_touched: 0 }
    }
}

impl<T> Latest<T> {
    pub(super) fn touch(&mut self, name: &str, state: T) {
        self.n_touched += 1;
        self.by_name.insert(name.to_owned(), (self.n_touched, state));
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// A line for each.
    pub(super) fn latest_first(&self, line: impl Fn(&T, &str) -> String) -> Vec<String> {
        let mut names: Vec<_> = self.by_name.iter().collect();
        names.sort_unstable_by_key(|(_, (touched, _))| Reverse(*touched));
        names.into_iter().map(|(name, (_, state))| line(state, name)).collect()
    }
}
