//! `/api/fx/rates`: the euro's exchange rates, and of which day they are.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use chrono::{DateTime, NaiveDate, Utc};
use domain::money::rates::{Rates, first_day};
use operational::fx_rates::{self, StoredTable};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    extract::Query,
    given::{Given, INVALID_DATE},
    problem::{MALFORMED_QUERY, Problem, UNKNOWN_PARAMETER},
    problems,
    state::AppState,
};

problems!(ReadProblems = &[MALFORMED_QUERY, UNKNOWN_PARAMETER, INVALID_DATE]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read))
}

/// Of which day the rates are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfDay {
    /// A day. Of one without rates of its own, such as a Sunday, those of the last working day before it.
    #[param(value_type = Option<String>, format = Date, example = "2026-10-30")]
    date: Option<Given>,
}

/// One day's rates: how many units of each currency one euro was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "base": "EUR", "date": "2026-10-30", "source": "ecb", "fetched_at": "2026-10-30T16:05:00Z",
    "rates": {"CAD": "1.5606", "CHF": "0.9194", "GBP": "0.8338", "JPY": "175.68", "USD": "1.1172"}
}))]
pub struct FxRates {
    /// `EUR`: what every rate is for one unit of.
    base: &'static str,
    /// The day the rates are of; null when none are known.
    date: Option<NaiveDate>,
    /// `ecb`, `frankfurter`, or `file` for those that the operator loaded.
    source: Option<String>,
    /// When they were fetched or loaded.
    fetched_at: Option<DateTime<Utc>>,
    /// Every currency that is quoted that day, by its code. Decimal strings.
    rates: BTreeMap<String, String>,
}

impl From<Option<StoredTable>> for FxRates {
    fn from(stored: Option<StoredTable>) -> Self {
        let rate = |(code, rate): (_, rust_decimal::Decimal)| (format!("{code}"), rate.to_string());
        Self {
            base: "EUR",
            date: stored.as_ref().map(|stored| stored.table.date()),
            fetched_at: stored.as_ref().map(|stored| stored.loaded_at),
            rates: stored.iter().flat_map(|stored| stored.table.quotes()).map(rate).collect(),
            source: stored.map(|stored| stored.source),
        }
    }
}

/// The euro's exchange rates of today, or of a day.
///
/// Anybody may ask. Today's are the newest that are known, however old: `date` says of which day they are. What
/// is converted at "today's rate" is converted with these. Of a day whose rates are not known, nothing is told,
/// and that is no error.
#[utoipa::path(
    get,
    path = "/api/fx/rates",
    tag = "money",
    operation_id = "read_fx_rates",
    params(OfDay),
    responses((status = 200, description = "The rates of one day", body = FxRates), ReadProblems)
)]
async fn read(State(state): State<AppState>, Query(of): Query<OfDay>) -> Result<Json<FxRates>, Problem> {
    let today = Utc::now().date_naive();
    let day = of.date.map(|date| date.day("date")).transpose()?.filter(|day| *day < today);
    let (oldest, day) = match day {
        None => (first_day(), NaiveDate::MAX),
        Some(day) => (Rates::earliest_for(day), day),
    };
    Ok(Json(fx_rates::newest(&state.pool, oldest, day).await?.into()))
}
