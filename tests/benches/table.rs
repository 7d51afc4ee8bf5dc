//! The result.

use serde_json::{Value, json};

/// One measured number.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub name: String,
    pub unit: &'static str,
    pub measured: f64,
    /// What to reach, and which side of it is good.
    pub target: Option<Target>,
    pub baseline: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// A multiple of the baseline.
    TimesBaseline(f64),
    /// At least this part of the baseline.
    PartOfBaseline(f64),
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, measured: f64) -> Self {
        Self { name: name.into(), unit, measured, target: None, baseline: None }
    }

    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    pub(crate) fn baseline(mut self, baseline: f64) -> Self {
        self.baseline = Some(baseline);
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.baseline.filter(|baseline| *baseline > 0.0).map(|baseline| self.measured / baseline)
    }

    fn reached(&self) -> Option<bool> {
        Some(match self.target? {
            Target::AtMost(limit) => self.measured <= limit,
            Target::AtLeast(limit) => self.measured >= limit,
            Target::TimesBaseline(times) => self.ratio()? <= times,
            Target::PartOfBaseline(part) => self.ratio()? >= part,
        })
    }
}

/// For people.
pub(crate) fn text(rows: &[Row]) -> String {
    let head = ["", "measured", "unit", "target", "baseline", "ratio", ""].map(str::to_owned);
    let mut lines = vec![head];
    for row in rows {
        let target = match row.target {
            Some(Target::AtMost(limit)) => format!("≤ {}", number(limit)),
            Some(Target::AtLeast(limit)) => format!("≥ {}", number(limit)),
            Some(Target::TimesBaseline(times)) => format!("≤ {times}×"),
            Some(Target::PartOfBaseline(part)) => format!("≥ {part}×"),
            None => String::new(),
        };
        let mark = match row.reached() {
            Some(true) => "reached",
            Some(false) => "missed",
            None => "",
        };
        lines.push([
            row.name.clone(),
            number(row.measured),
            row.unit.to_owned(),
            target,
            row.baseline.map(number).unwrap_or_default(),
            row.ratio().map(|ratio| format!("{ratio:.2}×")).unwrap_or_default(),
            mark.to_owned(),
        ]);
    }
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..7).map(width).collect();
    let mut table = String::new();
    for line in &lines {
        for (column, cell) in line.iter().enumerate() {
            let pad = " ".repeat(widths[column] - cell.chars().count());
            let is_number = matches!(column, 1 | 4 | 5);
            table.push_str(&if is_number { format!("{pad}{cell}  ") } else { format!("{cell}{pad}  ") });
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }
    table
}

fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// For programs.
pub(crate) fn json(rows: &[Row]) -> Value {
    let target = |row: &Row| match row.target {
        Some(Target::AtMost(limit)) => json!({ "at_most": limit }),
        Some(Target::AtLeast(limit)) => json!({ "at_least": limit }),
        Some(Target::TimesBaseline(times)) => json!({ "times_baseline": times }),
        Some(Target::PartOfBaseline(part)) => json!({ "part_of_baseline": part }),
        None => Value::Null,
    };
    let row = |row: &Row| {
        json!({
            "name": row.name, "unit": row.unit, "measured": row.measured, "target": target(row),
            "baseline": row.baseline, "ratio": row.ratio(), "reached": row.reached(),
        })
    };
    rows.iter().map(row).collect()
}
