//! Trouble with data, as data.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Something odd about one SKU's input or result. The caller knows which SKU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub code: Code,
    /// One sentence with the numbers in it.
    pub detail: String,
}

impl Finding {
    pub fn new(code: Code, detail: impl Into<String>) -> Finding {
        Finding { code, detail: detail.into() }
    }
}

macro_rules! codes {
    ($($variant:ident, $text:literal, $severity:ident, $explain:literal;)*) => {
        /// Every kind of trouble that has a name. `granary explain CODE` prints the long text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($variant),* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text),* }
            }

            pub fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity),* }
            }

            /// What it means and what to do about it.
            pub fn explain(self) -> &'static str {
                match self { $(Code::$variant => $explain),* }
            }
        }
    };
}

// Grouped by the part that raises them; add to your group.
codes! {
    // Series and forecasting.
    ShortHistory, "short_history", Info,
        "Too few days with full availability to fit a seasonal model; a simpler one was used.";
    AllCensored, "all_censored", Warning,
        "The item ran out of stock on every day of its history, so its demand is a guess.";
    ModelFailed, "model_failed", Warning,
        "A model could not be fitted to this series; the fallback named in the detail was used.";
    EventsIgnored, "events_ignored", Info,
        "Some shopper events were left out of the similarity of items: see the detail.";
    NoNeighbours, "no_neighbours", Warning,
        "No established item resembles this new one; the whole assortment's launches stand in.";
    NoEarlyInterest, "no_early_interest", Info,
        "The new item has no views, carts or favourites yet; its neighbours alone set its scale.";
    NoLaunchSeen, "no_launch_seen", Info,
        "No item was launched within the history, so a new item is expected to sell evenly.";
    PromotionsCarried, "promotions_carried", Info,
        "Promotions were seen but none are planned, so those of the last day were assumed to go on.";
    SumsReconciled, "sums_reconciled", Info,
        "Forecasts were brought into line with those of their sums: at past cutoffs it made sums \
         better and single series no worse, or the job asks for it. The detail has the share of \
         demand by which forecasts were off, before and after.";
    // Supply and planning.
    DefaultUsed, "default_used", Info,
        "Master data had no value; the default of the job's TOML or the import map was used.";
    PromiseLate, "promise_late", Warning,
        "A batch started today is not ready for every reservation's promised date.";
    PromiseNotCovered, "promise_not_covered", Error,
        "Paid reservations stay without stock: the detail says if money or hours are short.";
    BatchAtLoss, "batch_at_loss", Warning,
        "The batch is expected to lose money and is suggested only to keep what was promised.";
    BatchCapacityShort, "batch_capacity_short", Warning,
        "The maker's capacity is below what is already reserved, or below its own minimum.";
    BatchDeferred, "batch_deferred", Warning,
        "The maker has too few hours in the coming days; the detail says what waits and its cost.";
    LeadTimePromised, "lead_time_promised", Info,
        "No order of this supplier was ever received, so its promised lead time was believed.";
    LeadTimeUnknown, "lead_time_unknown", Warning,
        "Neither a received order nor a promise tells the lead time. Give lead_time_days.";
    NoSupplyTerms, "no_supply_terms", Warning,
        "The location sells the item, but no supply terms say how it gets there. Add a row.";
    SupplyCycle, "supply_cycle", Error,
        "Locations supply each other in a circle; the transfer that closes it was left out.";
    NegativeStock, "negative_stock", Warning,
        "More is reserved and back-ordered than is on hand. What arrives serves that first.";
    BadStock, "bad_stock", Warning,
        "A stock, lot or order quantity cannot be right; the detail says what was used.";
    BadTerms, "bad_terms", Warning,
        "A number in the supply terms is out of range; the detail says what was used.";
    BadDemandPaths, "bad_demand_paths", Error,
        "Demand paths have holes, or differ in number between the item's locations.";
    HorizonShort, "horizon_short", Info,
        "The order must cover days past the forecast; its last week was repeated.";
    MoqOverCapacity, "moq_over_capacity", Error,
        "No multiple lies between MOQ and capacity, so nothing can be ordered. Correct the terms.";
    MoqOverShelfLife, "moq_over_shelf_life", Warning,
        "The smallest order would mostly expire and lose money; nothing was ordered.";
    CapacityCut, "capacity_cut", Warning,
        "The supplier's capacity cut the order; the detail says by how much.";
    OrderLate, "order_late", Warning,
        "An open order is past its date. What such orders take from that age on is expected.";
    OrderDuplicate, "order_duplicate", Warning,
        "The same order line came twice and counts once.";
    OpenOrderDiscontinued, "open_order_discontinued", Warning,
        "An item that is being given up still has goods on order: think of cancelling.";
    ExpiringStock, "expiring_stock", Warning,
        "Stock will expire before it is sold; the detail says how much.";
    SupplierClosed, "supplier_closed", Info,
        "A supplier's shutdown moves the order or makes it larger, to last over it.";
    ReceivingClosed, "receiving_closed", Info,
        "Nothing is received there on some days, which delays goods or makes an order larger.";
    BackupSource, "backup_source", Info,
        "The usual source is closed or at capacity, so the one behind it was used.";
    DcShort, "dc_short", Warning,
        "The source has too little for all its locations; each got what is worth most there.";
    ReserveKept, "reserve_kept", Info,
        "The source would have had enough for all, but keeps its reserve back.";
    RoomShort, "room_short", Info,
        "The order was cut to what there is room for; a later one brings the rest in time.";
    OverflowLikely, "overflow_likely", Info,
        "In one case of ten the stock exceeds the location's capacity: book room for it.";
    OverCapacity, "over_capacity", Warning,
        "The location's stock is projected to exceed its capacity.";
    // Limits that lines share.
    LimitBinds, "limit_binds", Info,
        "A shared limit binds: the detail says how many lines it changed and what more would earn.";
    LimitExceeded, "limit_exceeded", Error,
        "Lines that cannot change exceed a shared limit by themselves, so some of them were held.";
    LimitCurrency, "limit_currency", Warning,
        "A limit is in one currency and lines it is meant for in another; they are never added.";
    LimitSizeUnknown, "limit_size_unknown", Warning,
        "A limit counts weight or volume, and items without one were not counted. Give them one.";
    LeftOut, "left_out", Warning,
        "A shared limit left nothing of this line: the detail says what it wanted and what is lost.";
    OrderDeferred, "order_deferred", Warning,
        "An order stayed below the supplier's minimum or container and waits for another night.";
    OrderRaised, "order_raised", Info,
        "An order was raised to the supplier's minimum or container with what is worth most next.";
    OrderBelowMinimum, "order_below_minimum", Warning,
        "Lines that cannot change leave an order below the supplier's minimum.";
    BadChoice, "bad_choice", Error,
        "The quantities that a line may choose from make no sense, so the line was left as it is.";
    FrozenLineGone, "frozen_line_gone", Warning,
        "A line within the freeze fence can no longer be ordered as it was planned.";
    // Measures of the assortment and of suppliers.
    ReturnRateHigh, "return_rate_high", Warning,
        "Far more of the item comes back than is usual: look at its quality, size and description.";
    SupplierOtifLow, "supplier_otif_low", Warning,
        "The supplier delivers too little on time and in full; late open orders count as failures.";
    SlowStockHigh, "slow_stock_high", Warning,
        "Too large a share of the stock's value sells slowly or not at all.";
    // Gates.
    GateItemCap, "gate_item_cap", Warning,
        "The line was held: it is over what the item master allows in one line (max_order_qty). \
         Approve it, or correct the item's cap or its units.";
    GateLineCap, "gate_line_cap", Warning,
        "The line was held: it is over the job's cap on the units or the value of any line, or its \
         value is not known because it has no unit cost.";
    GateTermsChanged, "gate_terms_changed", Warning,
        "The line was held: its pack, minimum, unit cost or unit is not what it was in the last \
         published plan, by so much that a slip is likely. It stays held every night until a \
         line with the new terms is approved or the old terms are back.";
    GateQuantity, "gate_quantity", Warning,
        "The line was held: it is many times the largest demand ever seen over as many days.";
    GateForecast, "gate_forecast", Warning,
        "The line was held: even without events and promotions the forecast is many times what \
         the item usually sells, by plain means of its history; or nothing tells what is usual.";
    GateCover, "gate_cover", Warning,
        "The line was held: with it, stock and orders last longer than the limit.";
    GateShelfLife, "gate_shelf_life", Warning,
        "The line was held: with it, there is more than will sell before the goods expire.";
    GateNewItem, "gate_new_item", Warning,
        "The line was held: the item has little history, or its demand was forecast by its \
         neighbours, and the line is worth much.";
    GateStockGone, "gate_stock_gone", Warning,
        "The line was held: the last count found nothing where there was stock, and neither sales \
         nor deliveries nor expiry explain it. The count may be lost: count again.";
    GateUnseenRelease, "gate_unseen_release", Warning,
        "The line was held: the same was released a short while ago and no order of it has come \
         back, so it may be ordered twice. Look for the order, or cancel the released line.";
    GateSupplierValue, "gate_supplier_value", Warning,
        "The line was held with all others of its supplier: together they are over the supplier's \
         limit.";
    GateRunValue, "gate_run_value", Error,
        "The plan was held: what it buys is over the run's limit.";
    GateDayValue, "gate_day_value", Error,
        "The plan was held: with the published plans of other jobs for the same date, what is \
         bought is over the day's limit.";
    GateRunValueChange, "gate_run_value_change", Error,
        "The plan was held: what it buys differs too much from the previous run.";
    GateLineCountChange, "gate_line_count_change", Error,
        "The plan was held: it has far more or far fewer lines than the previous run.";
    GateLinesChanged, "gate_lines_changed", Error,
        "The plan was held: too many of its lines are many times what they were in the previous \
         run, or a small part of it.";
    GateFallbackShare, "gate_fallback_share", Error,
        "The plan was held: too many series are forecast by a fallback, because their models failed \
         or no day of them was seen whole.";
    GateDefaultShare, "gate_default_share", Error,
        "The plan was held: defaults stand in for master data at many more places than in the \
         previous run, so a feed of master data may be lost.";
    GateInputShrunk, "gate_input_shrunk", Error,
        "The plan was held: an input has far fewer rows than in the previous run, or the last day \
         of sales far fewer than such a day has. A feed may be cut off.";
    GateOrdersLost, "gate_orders_lost", Error,
        "The plan was held: orders that were open are gone without having been received or \
         cancelled, so the plan would order again what is on its way.";
    GateStockLost, "gate_stock_lost", Error,
        "The plan was held: far more stock counts than in the previous run found nothing. The feed \
         may have sent zeros.";
    GateBooks, "gate_books", Error,
        "The plan was held: sums that should be equal are not, so rows were lost or doubled on the \
         way from the inputs to the plan.";
    GateStaleInput, "gate_stale_input", Error,
        "The plan was held: an input is older than the job allows.";
    GateNoPrevious, "gate_no_previous", Info,
        "Gates that compare with the previous run had nothing to compare with; the others still \
         held what they should.";
    // Service.
    ReleasedOnOrder, "released_on_order", Info,
        "Released lines that no order of the upstream shows yet were counted as on order.";
    ReleasedLapsed, "released_lapsed", Warning,
        "Released lines were neither seen as orders nor closed long after they were expected; they \
         were closed and count no more. See that purchasing reads and acknowledges releases.";
}

impl Code {
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        let text = String::deserialize(deserializer)?;
        Code::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a finding's code")))
    }
}
