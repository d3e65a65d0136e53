//! The control socket of a run: other processes give orders through it.
//!
//! A client writes orders, a line each, and reads for each the line `order: id=7 sent`, then the kernel's answers with
//! that id. The session hands out the ids. Whatever clients do, the run goes on: nothing here waits for them, a client
//! that talks too much is not read until it is answered, and one that does not read is dropped.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::reply::{MODULE, Pending, Reply};
use super::socket;
use crate::failure::Failure;
use crate::run::LogLine;

/// Clients at a time.
const CLIENTS: usize = 16;

/// Orders of one client that are not over.
const ORDERS: usize = 16;

/// Orders whose clients are gone, on top of that.
const ABANDONED: usize = 256;

/// How long the answers to an abandoned order are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest order, in bytes: the kernel's monitor reads lines of 120, the number in front included.
const LONGEST: usize = 112;

/// The most that waits for a client to read: the answers of `cores` on the largest machine take a fifth of it.
const BACKLOG: usize = 256 << 10;

/// The listening end.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
    clients: Vec<Client>,
    /// By id, the orders that are not over.
    orders: BTreeMap<u16, Order>,
    last_id: u16,
    last_client: u64,
}

#[derive(Debug)]
struct Client {
    number: u64,
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// It says nothing more; it may still be answered.
    ended: bool,
    /// It is gone, or has to go.
    gone: bool,
}

#[derive(Debug)]
struct Order {
    client: u64,
    pending: Pending,
    since: Instant,
}

impl Control {
    /// Listens in a run's folder.
    pub fn listen(folder: &Path) -> Result<Self, Failure> {
        let path = socket::path(folder);
        let cannot = |error| Failure::file("cannot listen on", &path, &error);
        let listener = socket::at(folder, |path| UnixListener::bind(path)).map_err(cannot)?;
        // The folder is for this user alone already.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let (clients, orders) = (Vec::new(), BTreeMap::new());
        Ok(Self { listener, path, clients, orders, last_id: 0, last_client: 0 })
    }

    /// Serves the clients; what is to be typed into the kernel's monitor.
    pub fn poll(&mut self) -> Vec<u8> {
        self.accept();
        let mut typed = Vec::new();
        for index in 0..self.clients.len() {
            self.read(index, &mut typed);
        }
        for client in &mut self.clients {
            client.write();
        }
        let orders = &mut self.orders;
        self.clients.retain(|client| {
            let waits = orders.values().any(|order| order.client == client.number);
            let is_done = client.ended && !waits && client.output.is_empty() && client.input.is_empty();
            !client.gone && !is_done
        });
        let clients = &self.clients;
        let listens = |order: &Order| clients.iter().any(|client| client.number == order.client && !client.ended);
        orders.retain(|_, order| listens(order) || order.since.elapsed() < PATIENCE);
        typed
    }

    /// Takes a line of the kernel's console, and passes on what answers an order.
    pub fn kernel_line(&mut self, line: &str) {
        let Some(line) = LogLine::parse(line).filter(|line| line.module == MODULE) else { return };
        let Some(reply) = Reply::parse(line.text) else { return };
        let Some(order) = self.orders.get_mut(&reply.id) else { return };
        if let Some(client) = self.clients.iter_mut().find(|client| client.number == order.client) {
            client.say(line.text);
        }
        if order.pending.take(&reply).is_some() {
            self.orders.remove(&reply.id);
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            self.last_client += 1;
            let number = self.last_client;
            let mut client = Client { number, stream, input: vec![], output: vec![], ended: false, gone: false };
            if client.stream.set_nonblocking(true).is_err() {
                continue;
            }
            if self.clients.len() < CLIENTS {
                self.clients.push(client);
            } else {
                client.say("id=0 refused reason=busy (too many clients)");
                client.write();
            }
        }
    }

    fn read(&mut self, index: usize, typed: &mut Vec<u8>) {
        let Some(client) = self.clients.get_mut(index) else { return };
        let number = client.number;
        client.read();
        while self.orders.values().filter(|order| order.client == number).count() < ORDERS
            && let Some(line) = self.clients.get_mut(index).and_then(Client::line)
        {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let answer = match check(line).map(|()| self.new_id()) {
                Err(refusal) => format!("id=0 refused reason=syntax ({refusal})"),
                Ok(None) => "id=0 refused reason=busy (too many orders are not over)".to_owned(),
                Ok(Some(id)) => {
                    let order = Order { client: number, pending: Pending::default(), since: Instant::now() };
                    self.orders.insert(id, order);
                    typed.extend(format!("#{id} ").bytes().chain(line.iter().copied()).chain([b'\n']));
                    format!("id={id} sent")
                }
            };
            if let Some(client) = self.clients.get_mut(index) {
                client.say(&answer);
            }
        }
    }

    /// An id that no order has which is not over; 0 is for those without one.
    fn new_id(&mut self) -> Option<u16> {
        if self.orders.len() >= CLIENTS * ORDERS + ABANDONED {
            return None;
        }
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if self.last_id != 0 && !self.orders.contains_key(&self.last_id) {
                return Some(self.last_id);
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Clients read what is there before they see the end.
        for client in &mut self.clients {
            client.write();
        }
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether a line may be typed: it must neither be more than one line nor act on the framing, and the session gives the
/// ids.
fn check(line: &[u8]) -> Result<(), &'static str> {
    if line.len() > LONGEST {
        return Err("the order is too long");
    }
    if line.first() == Some(&b'#') {
        return Err("orders get their numbers from the session");
    }
    let plain = line.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    if plain { Ok(()) } else { Err("orders are printable ASCII") }
}

impl Client {
    /// Reads what is there, unless enough waits already.
    fn read(&mut self) {
        self.gone |= self.ended && self.hung_up();
        let mut buffer = [0; 1024];
        while !self.ended && !self.gone && self.input.len() <= LONGEST {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(length) => self.input.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.gone = true,
            }
        }
    }

    /// Whether nobody is there any more. A client that only stopped writing still is.
    fn hung_up(&self) -> bool {
        let mut poll = [PollFd::new(&self.stream, PollFlags::empty())];
        let polled = rustix::event::poll(&mut poll, Some(&Timespec::default()));
        polled.is_ok() && poll.iter().any(|poll| poll.revents().intersects(PollFlags::HUP | PollFlags::ERR))
    }

    /// Takes the next whole line out of what was read; the last one may lack its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            return Some(self.input.drain(..=end).collect());
        }
        if self.ended && !self.input.is_empty() {
            return Some(std::mem::take(&mut self.input));
        }
        if self.input.len() > LONGEST {
            self.say("id=0 refused reason=syntax (the order is too long)");
            self.write();
            self.gone = true;
        }
        None
    }

    fn say(&mut self, text: &str) {
        self.output.extend(format!("{MODULE}: {text}\n").bytes());
    }

    fn write(&mut self) {
        while !self.gone && !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.gone = true,
            }
        }
        self.gone |= self.output.len() > BACKLOG;
    }
}
