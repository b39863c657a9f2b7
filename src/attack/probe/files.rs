//! Attempts on files: to see, read, change, link, move, make and unmake them.

#![expect(clippy::disallowed_methods, reason = "the probe opens whatever it is told to")]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use super::{Obstacle, Tried, nothing, number, text};
use crate::jail::raw::{self, Arg};

/// Makes the attempt, if its verb is one on files.
pub(super) fn attempt(verb: &str, objects: &[&str]) -> Option<Tried> {
    let done = |result: std::io::Result<()>| Ok(result.map(|()| String::new())?);
    Some(match (verb, objects) {
        ("read", [path]) => read(path),
        ("any-read", paths) => any(paths, OpenOptions::new().read(true)),
        ("any-write", paths) => any(paths, OpenOptions::new().write(true)),
        ("append", [path]) => append(path),
        ("overwrite-program", [path]) => overwrite(path),
        ("create", [path]) => done(File::create_new(path).map(drop)),
        ("unlink", [path]) => done(fs::remove_file(path)),
        ("mkdir", [path]) => done(fs::create_dir(path)),
        ("rmdir", [path]) => done(fs::remove_dir(path)),
        ("rename", [from, to]) => done(fs::rename(from, to)),
        ("link", [from, to]) => done(fs::hard_link(from, to)),
        ("symlink", [to, at]) => done(std::os::unix::fs::symlink(to, at)),
        ("read-symlink", [to, at]) => symlinked(to, at).and_then(|()| read(at)),
        ("append-symlink", [to, at]) => symlinked(to, at).and_then(|()| append(at)),
        ("read-link", [from, at]) => linked(from, at).and_then(|()| read(at)),
        ("append-link", [from, at]) => linked(from, at).and_then(|()| append(at)),
        ("truncate", [path]) => by_path(libc::SYS_truncate, path, &mut [Arg::Number(1)]),
        ("chmod", [path, mode]) => {
            mode_of(path, mode, |mode| by_path(libc::SYS_fchmodat, path, &mut [Arg::Number(mode)]))
        }
        ("fchmod", [path, mode]) => mode_of(path, mode, |mode| {
            let file = File::open(path)?;
            file.set_permissions(PermissionsExt::from_mode(mode.try_into().unwrap_or(0)))?;
            Ok(String::new())
        }),
        ("fchmodat2", [path, mode]) => mode_of(path, mode, |mode| {
            by_path(libc::SYS_fchmodat2, path, &mut [Arg::Number(mode), Arg::Number(0)])
        }),
        ("open-mode", [path, mode]) => mode_of(path, mode, |mode| {
            let flags = i64::from(libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY);
            by_path(libc::SYS_openat, path, &mut [Arg::Number(flags), Arg::Number(mode)])
        }),
        ("mknod-mode", [path, mode]) => mode_of(path, mode, |mode| {
            let mode = i64::from(libc::S_IFREG) | mode;
            by_path(libc::SYS_mknodat, path, &mut [Arg::Number(mode), Arg::Number(0)])
        }),
        #[cfg(target_arch = "x86_64")]
        ("creat-mode", [path, mode]) => mode_of(path, mode, |mode| {
            let path = text(path)?;
            raw::call(libc::SYS_creat, &mut [Arg::Text(&path), Arg::Number(mode)])?;
            Ok(String::new())
        }),
        ("char-device", [path]) => device(path, libc::S_IFCHR, libc::makedev(1, 1)),
        ("block-device", [path]) => device(path, libc::S_IFBLK, libc::makedev(254, 0)),
        ("chown", [path]) => {
            let nobody = Arg::Number(65_534);
            let mut rest = [nobody, Arg::Number(-1), Arg::Number(0)];
            by_path(libc::SYS_fchownat, path, &mut rest)
        }
        ("chgrp-same", [path]) => {
            let group = i64::from(fs::metadata(path).map_or(0, |about| about.gid()));
            let mut rest = [Arg::Number(-1), Arg::Number(group), Arg::Number(0)];
            by_path(libc::SYS_fchownat, path, &mut rest)
        }
        ("utime", [path]) => {
            let time = TimeSpec::new(1, 0);
            let follow = UtimensatFlags::FollowSymlink;
            utimensat(AT_FDCWD, *path, &time, &time, follow)
                .map(|()| String::new())
                .map_err(Into::into)
        }
        ("setxattr", [path, name]) => setxattr(path, name),
        ("stat", [path]) => Ok(format!(
            "{} bytes",
            match fs::symlink_metadata(path) {
                Ok(about) => about.len(),
                Err(error) => return Some(Err(error.into())),
            }
        )),
        ("list", [path]) => match fs::read_dir(path) {
            Ok(entries) => Ok(format!("{} entries", entries.count())),
            Err(error) => Err(error.into()),
        },
        ("readlink", [path]) => done(fs::read_link(path).map(drop)),
        ("chdir", [path]) => by_text(libc::SYS_chdir, path),
        ("chroot", [path]) => by_text(libc::SYS_chroot, path),
        ("watch", [path]) => watch(path),
        ("lease", [path]) => {
            request(path, libc::SYS_fcntl, &mut [Arg::Number(1024), Arg::Number(1)])
        }
        // For what is modified.
        ("notice", [path]) => {
            request(path, libc::SYS_fcntl, &mut [Arg::Number(1026), Arg::Number(2)])
        }
        ("reserve", [path]) => request(
            path,
            libc::SYS_fallocate,
            &mut [Arg::Number(libc::FALLOC_FL_KEEP_SIZE.into()), Arg::Number(0), Arg::Number(4096)],
        ),
        ("reserve-by-request", [path]) => {
            // `struct space_resv`: from the start, 4096 bytes.
            let mut range = [0_u8; 48];
            range[16..24].copy_from_slice(&4096_i64.to_ne_bytes());
            request(path, libc::SYS_ioctl, &mut [Arg::Number(0x4030_5828), Arg::Bytes(&mut range)])
        }
        ("whiteout", [from, to]) => {
            let (here, whiteout) = (i64::from(AT_FDCWD.as_raw_fd()), libc::RENAME_WHITEOUT);
            text(from).and_then(|from| Ok((from, text(to)?))).and_then(|(from, to)| {
                let mut args = [
                    Arg::Number(here),
                    Arg::Text(&from),
                    Arg::Number(here),
                    Arg::Text(&to),
                    Arg::Number(whiteout.into()),
                ];
                raw::call(libc::SYS_renameat2, &mut args)?;
                Ok(String::new())
            })
        }
        ("reopen", [path]) => reopen(path, OFlag::O_RDONLY).and_then(|path| append(&path)),
        ("read-by-path-only", [path]) => reopen(path, OFlag::O_PATH).and_then(|path| read(&path)),
        ("descriptor", [fd, name]) => descriptor(fd, name),
        ("handle", [mount, kind, bytes]) => handle(mount, kind, bytes),
        ("script", [path]) => script(path),
        _ => return None,
    })
}

fn read(path: &str) -> Tried {
    let mut bytes = [0; 64];
    match File::open(path)?.read(&mut bytes)? {
        0 => nothing("it is empty"),
        length => Ok(format!("{length} bytes")),
    }
}

fn append(path: &str) -> Tried {
    OpenOptions::new().append(true).open(path)?.write_all(b"x")?;
    Ok(String::new())
}

/// Opens a program that runs for writing. That it is busy says that it might be
/// written to otherwise.
fn overwrite(path: &str) -> Tried {
    match OpenOptions::new().write(true).open(path) {
        Err(error) if error.raw_os_error() != Some(libc::ETXTBSY) => Err(error.into()),
        _ => Ok(String::new()),
    }
}

/// Opens whichever of several can be opened, and does nothing with it.
fn any(paths: &[&str], how: &OpenOptions) -> Tried {
    let mut how = how.clone();
    how.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let mut last = Obstacle::Broken("nothing was named".into());
    for path in paths {
        match how.open(path) {
            Ok(_) => return Ok((*path).into()),
            // That one is there, but denied, says more than that one is not.
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => last = error.into(),
            Err(error) => {
                if matches!(last, Obstacle::Broken(_)) {
                    last = error.into();
                }
            }
        }
    }
    Err(last)
}

fn symlinked(to: &str, at: &str) -> Result<(), Obstacle> {
    Ok(std::os::unix::fs::symlink(to, at)?)
}

fn linked(from: &str, at: &str) -> Result<(), Obstacle> {
    Ok(fs::hard_link(from, at)?)
}

/// A call on a path from the working directory on.
fn by_path(call: i64, path: &str, rest: &mut [Arg<'_>]) -> Tried {
    let path = text(path)?;
    let mut args = vec![Arg::Text(&path)];
    if call != libc::SYS_truncate {
        args.insert(0, Arg::Number(AT_FDCWD.as_raw_fd().into()));
    }
    args.extend(rest.iter_mut().map(again));
    raw::call(call, &mut args)?;
    Ok(String::new())
}

/// The same argument, for another list of them.
fn again<'a>(arg: &'a mut Arg<'_>) -> Arg<'a> {
    match arg {
        Arg::Number(number) => Arg::Number(*number),
        Arg::Text(text) => Arg::Text(text),
        Arg::Bytes(bytes) => Arg::Bytes(bytes),
    }
}

fn by_text(call: i64, path: &str) -> Tried {
    raw::call(call, &mut [Arg::Text(&text(path)?)])?;
    Ok(String::new())
}

/// Sets a mode, and looks whether it is there afterwards.
fn mode_of(path: &str, mode: &str, set: impl FnOnce(i64) -> Tried) -> Tried {
    let mode: u32 = number(mode)?;
    nix::sys::stat::umask(Mode::empty());
    set(mode.into())?;
    match fs::metadata(path)?.mode() & 0o7777 {
        now if now == mode => Ok(format!("mode {now:o}")),
        now => nothing(&format!("its mode is {now:o}")),
    }
}

fn device(path: &str, kind: libc::mode_t, number: libc::dev_t) -> Tried {
    let number = i64::try_from(number).unwrap_or(0);
    let mut rest = [Arg::Number(i64::from(kind) | 0o666), Arg::Number(number)];
    by_path(libc::SYS_mknodat, path, &mut rest)
}

fn setxattr(path: &str, name: &str) -> Tried {
    let (path, name) = (text(path)?, text(name)?);
    // For `security.capability`: version 2, no rights at all.
    let mut value = [0_u8; 20];
    value[3] = 2;
    let mut args = [
        Arg::Text(&path),
        Arg::Text(&name),
        Arg::Bytes(&mut value),
        Arg::Number(20),
        Arg::Number(0),
    ];
    raw::call(libc::SYS_setxattr, &mut args)?;
    Ok(String::new())
}

fn watch(path: &str) -> Tried {
    let path = text(path)?;
    let watches = raw::call(libc::SYS_inotify_init1, &mut [Arg::Number(0)])?;
    let events = Arg::Number(libc::IN_ALL_EVENTS.into());
    let mut args = [Arg::Number(watches), Arg::Text(&path), events];
    raw::call(libc::SYS_inotify_add_watch, &mut args)?;
    Ok(String::new())
}

/// A call on an open file, which may be written to if it is one.
fn request(path: &str, call: i64, rest: &mut [Arg<'_>]) -> Tried {
    let is_dir = Path::new(path).is_dir();
    // Only who alone has a file open is given a lease to write to it.
    let file = OpenOptions::new().read(true).write(!is_dir).open(path)?;
    let mut args = vec![Arg::Number(file.as_raw_fd().into())];
    args.extend(rest.iter_mut().map(again));
    raw::call(call, &mut args)?;
    Ok(String::new())
}

/// The name that `/proc` has for a file that is open; the file stays open.
fn reopen(path: &str, how: OFlag) -> Result<String, Obstacle> {
    let file = nix::fcntl::open(path, how, Mode::empty())?;
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    std::mem::forget(file);
    Ok(name)
}

/// Reads beneath a directory that somebody may have left open.
fn descriptor(fd: &str, name: &str) -> Tried {
    let name = text(name)?;
    let mut args = [Arg::Number(number(fd)?), Arg::Text(&name), Arg::Number(0)];
    raw::call(libc::SYS_openat, &mut args)?;
    Ok(String::new())
}

/// Opens a file by its number in the filesystem, past every directory.
fn handle(mount: &str, kind: &str, hex: &str) -> Tried {
    let digits = |at: usize| hex.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let name: Vec<u8> = (0..hex.len()).step_by(2).filter_map(digits).collect();
    let length = u32::try_from(name.len()).unwrap_or(0);
    let kind: i32 = number(kind)?;
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &name].concat();
    let mount = File::open(mount)?;
    let mut args = [Arg::Number(mount.as_raw_fd().into()), Arg::Bytes(&mut bytes), Arg::Number(0)];
    raw::call(libc::SYS_open_by_handle_at, &mut args)?;
    Ok(String::new())
}

/// Makes a program and runs it.
fn script(path: &str) -> Tried {
    let mut how = OpenOptions::new();
    how.write(true).create_new(true).mode(0o755).open(path)?.write_all(b"#!/bin/sh\nexit 7\n")?;
    match Command::new(Path::new(path)).status()?.code() {
        Some(7) => Ok(String::new()),
        other => Err(Obstacle::Broken(format!("it ended with {other:?}"))),
    }
}
