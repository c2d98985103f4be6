//! `/api/currencies`: what amounts may be recorded in.

use axum::Json;
use domain::money::Currency;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::state::AppState;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A currency that amounts may be recorded in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Currency)]
pub struct CurrencyView {
    /// Its ISO 4217 code, the way it is written everywhere: in capitals.
    #[schema(example = "EUR", min_length = 3, max_length = 3)]
    code: &'static str,
    /// Its English name.
    #[schema(example = "Euro")]
    name: &'static str,
    /// How many decimal places its amounts have at most: two, and none in yen.
    #[schema(example = 2)]
    minor_units: u32,
}

/// Every currency that amounts may be recorded in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"items": [
    {"code": "EUR", "name": "Euro", "minor_units": 2}, {"code": "JPY", "name": "Japanese yen", "minor_units": 0}
]}))]
pub struct Currencies {
    /// In the order in which they are offered.
    items: Vec<CurrencyView>,
}

/// The currencies that amounts may be recorded in.
///
/// Anybody may ask. Any other currency is refused wherever an amount is given.
#[utoipa::path(
    get,
    path = "/api/currencies",
    tag = "money",
    operation_id = "list_currencies",
    responses((status = 200, description = "The list", body = Currencies))
)]
async fn list() -> Json<Currencies> {
    let view = |currency: Currency| CurrencyView {
        code: currency.code(),
        name: currency.name(),
        minor_units: currency.minor_units(),
    };
    Json(Currencies { items: Currency::ALL.into_iter().map(view).collect() })
}
