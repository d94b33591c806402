//! An engine without loops: what they would do is done when it is asked for. For simulations, where
//! time is virtual and every run must be repeatable.

use chancery_event::Environment;

use crate::agenda::Agenda;
use crate::delivery::courier::Courier;
use crate::engine::Opened;
use crate::notification::canary::Lookout;
use crate::notification::coverage::walk::Walk;
use crate::notification::herald::Herald;
use crate::reaction::dispatcher::{Place, catch_up, round};
use crate::sealer::Sealer;
use crate::tenure::Standing;
use crate::{Engine, Error, Settings, StartError};

/// An engine that works step by step.
pub struct Stepped {
    engine: Engine,
    sealer: Sealer,
    agenda: Option<Agenda>,
    place: Place,
    herald: Herald,
    courier: Option<Courier>,
    walk: Walk,
    canary: Lookout,
}

impl Stepped {
    /// Opens the store and the keys and completes the first start, as [`Engine::start`] does.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn open(settings: Settings, environment: Environment) -> Result<Self, StartError> {
        let Opened { engine, sealer, mut agenda, .. } = Engine::open(settings, environment).await?;
        // On a server the node that has the clock sets up what it runs: that is this one.
        if let Some(agenda) = &mut agenda {
            agenda.sync(&engine).await?;
        }
        let sender = engine.settings().sender.clone();
        let courier = sender.map(|sender| Courier::new(engine.clone(), sender));
        let (place, herald) = (Place::default(), Herald::default());
        let (walk, canary) = (Walk::default(), Lookout::default());
        Ok(Self { engine, sealer, agenda, place, herald, courier, walk, canary })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Seals what is recorded.
    ///
    /// # Errors
    /// The store fails, or the log does not verify.
    pub async fn seal(&self) -> Result<(), Error> {
        while self.sealer.round(&Standing::Alone).await? > 0 {}
        Ok(())
    }

    /// Judges certificates whose status may have changed by now.
    ///
    /// # Errors
    /// The store fails.
    pub async fn judge(&self) -> Result<(), Error> {
        while crate::inventory::status::round(&self.engine, &Standing::Alone).await? > 0 {}
        Ok(())
    }

    /// Lets the triggers react to what is sealed, and goes idle, as the loop does.
    ///
    /// # Errors
    /// The store fails.
    pub async fn react(&mut self) -> Result<(), Error> {
        loop {
            match round(&self.engine, &mut self.place).await {
                Ok(true) => {}
                Ok(false) => return catch_up(&self.engine, &self.place).await,
                Err(error) => {
                    self.place = Place::after(&error);
                    return Err(error);
                }
            }
        }
    }

    /// Decides what is to be told, and sends what was held and is due.
    ///
    /// # Errors
    /// The store fails.
    pub async fn notify(&mut self) -> Result<(), Error> {
        while self.herald.round(&self.engine).await? {}
        Ok(())
    }

    /// Looks at whom every certificate reaches, and at the canary under way.
    ///
    /// # Errors
    /// The store fails.
    pub async fn cover(&mut self) -> Result<(), Error> {
        while self.walk.round(&self.engine).await? {}
        self.canary.judge(&self.engine).await
    }

    /// Puts a canary in, as its schedule does; answers what its job would.
    ///
    /// # Errors
    /// The store fails.
    pub async fn put_canary(&self) -> Result<serde_json::Value, Error> {
        let context = crate::Context::system(self.engine.environment());
        self.engine.put_canary(&context).await
    }

    /// Sends what is due, and books what came of it.
    ///
    /// # Errors
    /// The store fails.
    pub async fn deliver(&mut self) -> Result<(), Error> {
        let Some(courier) = &mut self.courier else { return Ok(()) };
        while courier.round().await? {
            courier.land().await?;
        }
        Ok(())
    }

    /// Does the jobs that are due by now, and what becomes due by that.
    ///
    /// # Errors
    /// The store fails.
    pub async fn work(&self) -> Result<(), Error> {
        crate::job::runner::work_off(&self.engine).await
    }

    /// Drops evaluations that are too old or too many; answers how many.
    ///
    /// # Errors
    /// The store fails.
    pub async fn sweep_evaluations(&self) -> Result<u64, Error> {
        crate::reaction::dispatcher::sweep(&self.engine).await
    }

    /// Runs the monitors and schedules that are due by now.
    ///
    /// # Errors
    /// The store fails.
    pub async fn run_due(&mut self) -> Result<(), Error> {
        match &mut self.agenda {
            Some(agenda) => agenda.round(&self.engine).await,
            None => Ok(()),
        }
    }

    /// Ends without recording a stop, as a program does that is killed.
    pub async fn kill(self) {
        self.engine.0.store.close().await;
    }
}
