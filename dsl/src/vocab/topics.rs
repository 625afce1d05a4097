/// Which topics a stream reads: one, several, or all whose names match a pattern. Made by `into()` from a name, an array
/// or `Vec` of names, or by [`Topics::matching`].
///
/// ```
/// use headwater::prelude::*;
///
/// let app = StreamsBuilder::new("demo");
/// app.stream::<String, i64>(["orders-eu", "orders-us"], Json).to("orders", Json);
/// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
/// driver.input::<String, i64>("orders-us", Json).pipe(&mut driver, "k".into(), 1, 0).unwrap();
/// driver.input::<String, i64>("orders-eu", Json).pipe(&mut driver, "k".into(), 2, 1).unwrap();
/// assert_eq!(driver.output::<String, i64>("orders", Json).read_values(&mut driver).unwrap(), [1, 2]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    pub(crate) names: Vec<String>,
    pub(crate) pattern: Option<String>,
}

impl Topics {
    /// All topics whose whole name matches the regular expression `pattern`. The application's own topics, those it
    /// writes, and those it reads by name are left out. `build()` reports a pattern that is none (`HW0165`); a run needs
    /// at least one topic to start (`HW0110`).
    ///
    /// A live run looks for new ones every 30 seconds (`Settings::topic_check_interval`) and reads each that has as many
    /// partitions as those it is read with; one that has not is warned of and left out. A bounded run reads those there
    /// are when it starts.
    ///
    /// In a test the driver knows the topics that were given partitions by `with_topic_partitions`.
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>(Topics::matching("orders-.*"), Consumed::json().named("orders")).to("all", Json);
    /// let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut driver = driver.with_topic_partitions("orders-eu", 1).unwrap();
    /// driver.input::<String, i64>("orders-eu", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("all", Json).read_values(&mut driver).unwrap(), [7]);
    /// ```
    pub fn matching(pattern: &str) -> Self {
        Self { names: Vec::new(), pattern: Some(pattern.to_owned()) }
    }

    /// These topics.
    pub fn named<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), pattern: None }
    }

    /// What a source is called if the user does not name it.
    pub(crate) fn default_name(&self) -> Option<String> {
        match (self.names.as_slice(), &self.pattern) {
            ([name], None) => Some(name.clone()),
            _ => None,
        }
    }
}

impl From<&str> for Topics {
    fn from(name: &str) -> Self {
        Self::named([name])
    }
}

impl From<&String> for Topics {
    fn from(name: &String) -> Self {
        Self::named([name.as_str()])
    }
}

impl From<String> for Topics {
    fn from(name: String) -> Self {
        Self::named([name])
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for Topics {
    fn from(names: [T; N]) -> Self {
        Self::named(names)
    }
}

impl<T: Into<String>> From<Vec<T>> for Topics {
    fn from(names: Vec<T>) -> Self {
        Self::named(names)
    }
}
