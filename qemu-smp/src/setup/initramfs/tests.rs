use super::*;
use crate::archive::tests::list;

#[test]
fn holds_busybox_and_everything_of_the_overlay() {
    let folder = tempfile::tempdir().unwrap();
    let overlay = folder.path().join("overlay");
    fs::create_dir_all(overlay.join("corral")).unwrap();
    fs::create_dir_all(overlay.join("bin")).unwrap();
    fs::write(overlay.join("init"), "#!/bin/sh\n").unwrap();
    fs::write(overlay.join("corral/a.sh"), "a").unwrap();
    fs::write(overlay.join("bin/tool"), "t").unwrap();
    let busybox = folder.path().join("busybox");
    fs::write(&busybox, "program").unwrap();

    let more = folder.path().join("more");
    fs::create_dir_all(more.join("bin")).unwrap();
    fs::create_dir_all(more.join("lib")).unwrap();
    fs::write(more.join("bin/stress"), "s").unwrap();
    fs::write(more.join("lib/libc.so"), "c").unwrap();

    let modules = folder.path().join("modules");
    fs::create_dir_all(modules.join("lib/modules/6.1")).unwrap();
    fs::write(modules.join("lib/modules/6.1/modules.dep"), "m").unwrap();
    let program = folder.path().join("counter");
    fs::write(&program, "c").unwrap();

    let contents = Contents { busybox, modules, programs: vec![program] };
    let bytes = contents.build(&overlay, None).unwrap();
    assert_eq!(bytes, contents.build(&overlay, None).unwrap());
    let names: Vec<String> = list(&contents.build(&overlay, Some(&more)).unwrap()).into_iter().map(|it| it.0).collect();
    let all: Vec<String> = list(&bytes).into_iter().map(|it| it.0).collect();
    assert_eq!(names[..all.len()], all);
    assert_eq!(names[all.len()..], ["bin/stress", "lib/libc.so"]);
    let entries = list(&bytes);
    let mode = |name: &str| entries.iter().find(|entry| entry.0 == name).unwrap().1;
    assert_eq!(mode("init"), 0o100755);
    assert_eq!(mode("corral"), 0o040755);
    assert_eq!(mode("corral/a.sh"), 0o100755);
    assert_eq!(mode("bin/busybox"), 0o100755);
    assert_eq!(mode("bin/counter"), 0o100755);
    assert_eq!(mode("lib/modules/6.1/modules.dep"), 0o100755);
    assert_eq!(mode("bin/sh"), 0o120777);
    assert_eq!(mode("dev/console"), 0o020600);
    assert_eq!(entries.iter().filter(|entry| entry.0 == "bin").count(), 1);
}
