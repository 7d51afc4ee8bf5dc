//! Unix: stdio as non-blocking descriptors where it is a pipe or a socket, signals, file attributes.

use std::ffi::{CStr, CString};
use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};

use process_wrap::tokio::{CommandWrap, ProcessSession};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::termios::{QueueSelector, tcflush};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Access, Others};

/// The process's standard input. tokio's own reads in a thread that cannot be stopped.
#[derive(Debug)]
pub enum Input {
    Pipe(pipe::Receiver, Restore),
    Socket(UnixStream, Restore),
    Other(tokio::io::Stdin),
}

/// The process's standard output. tokio's own hands every write to a thread.
#[derive(Debug)]
pub enum Output {
    Pipe(pipe::Sender, Restore),
    Socket(UnixStream, Restore),
    Other(tokio::io::Stdout),
}

/// Gives a descriptor back as it was: others may share it.
#[derive(Debug)]
pub struct Restore {
    descriptor: OwnedFd,
    flags: OFlags,
}

impl Drop for Restore {
    fn drop(&mut self) {
        // It may have been closed by the other side; then nobody minds.
        let _ = fcntl_setfl(&self.descriptor, self.flags);
    }
}

/// Makes stdin ready for reading and stdout for writing. Must be called inside the runtime.
#[expect(clippy::disallowed_methods, reason = "the stream of the protocol, which no person reads")]
pub fn stdio() -> io::Result<(Input, Output)> {
    // They may be one socket: both must know its flags from before either end changes them.
    let (stdin, stdin_flags) = duplicate(io::stdin().as_fd())?;
    let (stdout, stdout_flags) = duplicate(io::stdout().as_fd())?;
    let input = match kind(&stdin)? {
        FileType::Fifo => Input::Pipe(pipe::Receiver::from_owned_fd(stdin)?, stdin_flags),
        FileType::Socket => Input::Socket(socket(stdin)?, stdin_flags),
        _ => Input::Other(tokio::io::stdin()),
    };
    let output = match kind(&stdout)? {
        FileType::Fifo => Output::Pipe(pipe::Sender::from_owned_fd(stdout)?, stdout_flags),
        FileType::Socket => Output::Socket(socket(stdout)?, stdout_flags),
        _ => Output::Other(tokio::io::stdout()),
    };
    Ok((input, output))
}

/// Discards what was typed at the terminal and not read yet.
pub fn discard_typed_input() {
    // Fails where stdin is no terminal, and then nobody types.
    let _ = tcflush(io::stdin(), QueueSelector::IFlush);
}

fn duplicate(descriptor: std::os::fd::BorrowedFd<'_>) -> io::Result<(OwnedFd, Restore)> {
    let flags = fcntl_getfl(descriptor)?;
    Ok((descriptor.try_clone_to_owned()?, Restore { descriptor: descriptor.try_clone_to_owned()?, flags }))
}

fn kind(descriptor: &OwnedFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(fstat(descriptor)?.st_mode))
}

fn socket(descriptor: OwnedFd) -> io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(descriptor);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Pipe(pipe, _) => Pin::new(pipe).poll_read(cx, buffer),
            Self::Socket(socket, _) => Pin::new(socket).poll_read(cx, buffer),
            Self::Other(stdin) => Pin::new(stdin).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Pipe(pipe, _) => Pin::new(pipe).poll_write(cx, bytes),
            Self::Socket(socket, _) => Pin::new(socket).poll_write(cx, bytes),
            Self::Other(stdout) => Pin::new(stdout).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Pipe(pipe, _) => Pin::new(pipe).poll_flush(cx),
            Self::Socket(socket, _) => Pin::new(socket).poll_flush(cx),
            Self::Other(stdout) => Pin::new(stdout).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Pipe(pipe, _) => Pin::new(pipe).poll_shutdown(cx),
            Self::Socket(socket, _) => Pin::new(socket).poll_shutdown(cx),
            Self::Other(stdout) => Pin::new(stdout).poll_shutdown(cx),
        }
    }
}

/// The argument that makes this program the launcher of a server's commands.
#[cfg(target_os = "linux")]
const LAUNCHER: &str = "launch-commands";

/// Prepares the process; must come before any thread is started. Returns an exit code if that was all there was to do.
pub fn begin() -> Option<ExitCode> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};

        if std::env::args_os().nth(1).is_some_and(|argument| argument == LAUNCHER) {
            return Some(agent::process::launcher::main());
        }
        // Still this program when an update has replaced its file.
        launch_commands_with("/proc/self/exe".into());
        // Commands run as the same user. They must not find keys in this process's memory, in its environment, or in a
        // core dump. Programs that it starts are dumpable again. An error leaves things as they are elsewhere.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    None
}

/// Names the program of this package that ends whatever commands leave behind, where the system makes that possible.
pub fn launch_commands_with(program: PathBuf) {
    #[cfg(target_os = "linux")]
    agent::process::launch_with(program, LAUNCHER);
    #[cfg(not(target_os = "linux"))]
    drop(program);
}

/// Ctrl-C, a hang-up, a polite kill. From its making on, none of them ends the process by itself.
#[derive(Debug)]
pub struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl EndSignals {
    /// Must be called inside the runtime, before anything is started that has to be ended in order.
    pub fn listen() -> io::Result<Self> {
        // A write beyond a limit of the file's size is an error like others, not the end. Commands have the
        // signal as usual: a handler does not outlive the start of another program.
        drop(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Waits until a process has gone; for ever if that cannot be seen. It is looked up at once, not when it is first
/// waited for: one that has gone by then looks like one of another process namespace.
pub fn process_gone(process_id: u32) -> impl Future<Output = ()> + Send + use<> {
    #[cfg(target_os = "linux")]
    let watched = {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        use tokio::io::unix::AsyncFd;

        let pid = i32::try_from(process_id).ok().and_then(Pid::from_raw);
        let watched = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::NONBLOCK).ok());
        // A descriptor that becomes readable when the process ends costs no timer. It is owned and never
        // replaced, which is what the unsafe successor of `new` asks for.
        #[allow(deprecated)]
        watched.and_then(|watched| AsyncFd::new(watched).ok())
    };
    async move {
        #[cfg(target_os = "linux")]
        if let Some(watched) = watched {
            let _ = watched.readable().await;
            return;
        }
        // Elsewhere, or in another process namespace: the end of the stream tells.
        tracing::debug!(process_id, "the client's process cannot be followed");
        std::future::pending().await
    }
}

/// Lets a program run in a session of its own, so that it cannot write to the user's terminal or wait for input there.
pub(crate) fn without_terminal(command: &mut CommandWrap) -> &mut CommandWrap {
    command.wrap(ProcessSession)
}

/// Gives freed memory back to the system. By itself glibc does so at the end of the heap only, and one small text
/// behind a large one keeps all of it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub(crate) fn release_memory() {
    // SAFETY: the call takes no pointer and may come from any thread at any time
    // (<https://man7.org/linux/man-pages/man3/malloc_trim.3.html>).
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn release_memory() {}

/// Returns an existing path as the disk spells it. Elsewhere than on Linux a name may be written in any case.
pub(crate) fn spelled_on_disk(existing: &Path) -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(existing.to_owned()) } else { std::fs::canonicalize(existing) }
}

/// Opens a file for reading and writing. Neither follows a link nor waits for the holder of a lease
/// (<https://man7.org/linux/man-pages/man2/F_SETLEASE.2const.html>).
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = std::fs::OpenOptions::new();
    // Not every platform's flags are of the same type.
    #[allow(clippy::useless_conversion)]
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    options.read(true).write(true).custom_flags(flags).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(error.kind(), "another program holds a lease on it"),
        _ => error,
    })
}

/// The identity of a file that has several names, by which all of them are one. `None` for others: a write
/// replaces them, and what replaces them has another identity.
pub(crate) fn shared_identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    (metadata.is_file() && metadata.nlink() > 1).then(|| (metadata.dev(), metadata.ino()))
}

/// Returns true if both handles are of one file, whatever it is called.
pub(crate) fn is_same_file(a: &File, b: &File) -> io::Result<bool> {
    let (a, b) = (a.metadata()?, b.metadata()?);
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}

/// Gives a new file what the old one has beside its text: owner, permissions, extended attributes and, on
/// Linux, access control lists, which are such attributes.
///
/// # Errors
/// If the new file cannot stand for the old one.
pub(crate) fn copy_attributes(old: &File, new: &File) -> io::Result<()> {
    let (was, is) = (old.metadata()?, new.metadata()?);
    if was.nlink() > 1 {
        return Err(io::Error::other("the file has other names"));
    }
    if (was.uid(), was.gid()) != (is.uid(), is.gid()) {
        // Only root may give files away.
        fchown(new, Some(was.uid()), Some(was.gid()))?;
    }
    copy_extended_attributes(old, new)?;
    // Last: an access control list changes them.
    new.set_permissions(PermissionsExt::from_mode(was.mode() & 0o7777))
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn copy_extended_attributes(old: &File, new: &File) -> io::Result<()> {
    use rustix::fs::{XattrFlags, fremovexattr, fsetxattr};

    let (old_names, new_names) = (extended_attributes(old)?, extended_attributes(new)?);
    for name in &old_names {
        let value = extended_attribute(old, name)?;
        // One that the system has set, such as a label, often cannot be set again and need not be.
        if !new_names.contains(name) || extended_attribute(new, name)? != value {
            fsetxattr(new, name.as_c_str(), &value, XattrFlags::empty())?;
        }
    }
    // A directory may give its new files attributes that the old one does not have.
    for name in new_names.iter().filter(|name| !old_names.contains(name)) {
        fremovexattr(new, name.as_c_str())?;
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn copy_extended_attributes(_old: &File, _new: &File) -> io::Result<()> {
    Ok(())
}

/// Names of a file's extended attributes; none where the file system has no such thing.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn extended_attributes(file: &File) -> io::Result<Vec<CString>> {
    use rustix::fs::flistxattr;
    use rustix::io::Errno;

    let mut names = vec![0; MAX_ATTRIBUTE];
    let n_bytes = match flistxattr(file, names.as_mut_slice()) {
        Ok(n_bytes) => n_bytes,
        Err(Errno::NOTSUP | Errno::NOSYS) => 0,
        Err(error) => return Err(error.into()),
    };
    let names = names[..n_bytes].split_inclusive(|byte| *byte == 0);
    Ok(names.filter_map(|name| CString::from_vec_with_nul(name.to_vec()).ok()).collect())
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn extended_attribute(file: &File, name: &CStr) -> io::Result<Vec<u8>> {
    let mut value = vec![0; MAX_ATTRIBUTE];
    let n_bytes = rustix::fs::fgetxattr(file, name, value.as_mut_slice())?;
    value.truncate(n_bytes);
    Ok(value)
}

/// Bytes of a list of attributes, or of one: `XATTR_SIZE_MAX` of Linux. A larger one is an error.
#[cfg(any(target_os = "linux", target_os = "macos"))]
const MAX_ATTRIBUTE: usize = 64 * 1024;

/// Reads what others may do from the bits of the mode. The superuser may do everything anyway.
pub(crate) fn others(metadata: &Metadata) -> Others {
    let owner = metadata.uid();
    let has = |bit: u32| metadata.mode() & bit != 0;
    let access = |bit: u32| Access { group: has(bit << 3) || has(bit), all: has(bit) };
    Others {
        is_foreign: owner != 0 && owner != rustix::process::geteuid().as_raw(),
        read: access(0o4),
        write: access(0o2),
        enter: access(0o1),
    }
}

pub(super) fn make_private(builder: &mut DirBuilder) {
    builder.mode(0o700);
}

/// Makes a rename in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_process_that_goes_before_it_is_waited_for() {
        let mut process = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let gone = process_gone(process.id());
        process.kill().unwrap();
        process.wait().unwrap();
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("it is told");
    }
}
