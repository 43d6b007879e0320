//! Which exponential smoothing a model is: its error, trend and season.

use serde::{Deserialize, Serialize};

/// How the one-step error enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    Additive,
    Multiplicative,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrendKind {
    None,
    Additive,
    Damped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeasonKind {
    None,
    Additive,
    Multiplicative,
}

/// One cell of the taxonomy of Hyndman, Koehler, Ord & Snyder (2008), tables 2.2 and 2.3, without
/// the multiplicative trends, which forecast badly and which nobody searches by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EtsSpec {
    pub error: ErrorKind,
    pub trend: TrendKind,
    pub season: SeasonKind,
}

macro_rules! specs {
    ($($constant:ident $text:literal $error:ident $trend:ident $season:ident;)*) => {
        impl EtsSpec {
            $(pub const $constant: EtsSpec = EtsSpec {
                error: ErrorKind::$error,
                trend: TrendKind::$trend,
                season: SeasonKind::$season,
            };)*

            /// Every admissible combination. An additive error with a multiplicative season is
            /// none: its variance has no end where a season comes near zero.
            pub const ALL: &'static [EtsSpec] = &[$(EtsSpec::$constant),*];

            /// As the literature writes it, "ETS(A,Ad,N)".
            pub fn as_str(self) -> &'static str {
                $(if self == EtsSpec::$constant {
                    return $text;
                })*
                match self.trend {
                    TrendKind::None => "ETS(A,N,M)",
                    TrendKind::Additive => "ETS(A,A,M)",
                    TrendKind::Damped => "ETS(A,Ad,M)",
                }
            }
        }
    };
}

specs! {
    ANN "ETS(A,N,N)" Additive None None;
    AAN "ETS(A,A,N)" Additive Additive None;
    AADN "ETS(A,Ad,N)" Additive Damped None;
    MNN "ETS(M,N,N)" Multiplicative None None;
    MAN "ETS(M,A,N)" Multiplicative Additive None;
    MADN "ETS(M,Ad,N)" Multiplicative Damped None;
    ANA "ETS(A,N,A)" Additive None Additive;
    AAA "ETS(A,A,A)" Additive Additive Additive;
    AADA "ETS(A,Ad,A)" Additive Damped Additive;
    MNA "ETS(M,N,A)" Multiplicative None Additive;
    MAA "ETS(M,A,A)" Multiplicative Additive Additive;
    MADA "ETS(M,Ad,A)" Multiplicative Damped Additive;
    MNM "ETS(M,N,M)" Multiplicative None Multiplicative;
    MAM "ETS(M,A,M)" Multiplicative Additive Multiplicative;
    MADM "ETS(M,Ad,M)" Multiplicative Damped Multiplicative;
}

impl EtsSpec {
    pub fn is_seasonal(self) -> bool {
        self.season != SeasonKind::None
    }

    pub fn has_trend(self) -> bool {
        self.trend != TrendKind::None
    }

    /// Whether something multiplies, which takes a history above zero.
    pub fn needs_positive(self) -> bool {
        self.error == ErrorKind::Multiplicative || self.season == SeasonKind::Multiplicative
    }

    pub fn is_admissible(self) -> bool {
        self.error == ErrorKind::Multiplicative || self.season != SeasonKind::Multiplicative
    }

    /// Numbers that the likelihood is maximised over, with the variance: smoothing parameters,
    /// damping, first level and trend, and a season's starts, which sum to a constant.
    pub fn parameters(self, steps_per_season: usize) -> usize {
        let trend = match self.trend {
            TrendKind::None => 0,
            TrendKind::Additive => 2,
            TrendKind::Damped => 3,
        };
        let season = if self.is_seasonal() { 1 + steps_per_season - 1 } else { 0 };
        3 + trend + season
    }

    /// The same without what multiplies.
    pub fn additive(self) -> EtsSpec {
        let season = match self.season {
            SeasonKind::None => SeasonKind::None,
            _ => SeasonKind::Additive,
        };
        EtsSpec { error: ErrorKind::Additive, season, ..self }
    }
}
