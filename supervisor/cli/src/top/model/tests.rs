//! What keys do, and that nothing is selected that is not shown.

use proptest::prelude::*;

use super::super::trial;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn model() -> Model {
    let mut model = Model::new(Wish::default(), SECOND);
    model.handle(Input::Rows(24));
    model.handle(Input::Looked(Box::new(trial::look(SECOND))));
    model
}

fn press(model: &mut Model, keys: &[Key]) -> Vec<Order> {
    keys.iter().filter_map(|key| model.handle(Input::Key(*key))).collect()
}

fn typed(text: &str) -> Vec<Key> {
    text.chars().map(Key::Char).collect()
}

fn selected(model: &Model) -> Option<String> {
    model.worker().map(|worker| title(&worker.row))
}

#[test]
fn a_restart_is_ordered_only_when_it_is_confirmed() {
    let mut model = model();
    assert_eq!(press(&mut model, &typed("jr")), []);
    assert!(matches!(&model.mode, Mode::Confirm { title, .. } if title == "web.1"));
    assert_eq!(press(&mut model, &typed("n")), []);
    assert_eq!(model.message.as_deref(), Some("restart web.1: not done"));
    let orders = press(&mut model, &typed("rq"));
    assert_eq!((orders, model.message.as_deref()), (vec![], Some("restart web.1: not done")));
    let orders = press(&mut model, &typed("ry"));
    assert_eq!(orders, [Order::Restart("web".into(), 1)]);
    model.handle(Input::Ordered("restart web.1: done".into()));
    assert_eq!(model.message.as_deref(), Some("restart web.1: done"));
}

#[test]
fn whom_a_confirmation_names_is_restarted_whoever_is_in_its_place_by_then() {
    let mut model = model();
    press(&mut model, &typed("jr"));
    let mut without = trial::look(SECOND * 2);
    without.found.workers.remove(0);
    model.handle(Input::Looked(Box::new(without)));
    assert_eq!(press(&mut model, &typed("y")), [Order::Restart("web".into(), 1)]);
}

#[test]
fn nothing_is_restarted_where_no_worker_is_selected_or_nobody_answers() {
    let mut model = model();
    press(&mut model, &typed("jjjr"));
    assert!(matches!(model.mode, Mode::List) && model.worker().is_none(), "a group is selected");
    press(&mut model, &typed("gr"));
    press(&mut model, &[Key::Escape]);
    model.handle(Input::Lost { at: SECOND * 4, why: "gone".into() });
    press(&mut model, &typed("r"));
    assert_eq!(model.message.as_deref(), Some("restart binder: no supervisor answers"));
}

#[test]
fn who_is_selected_stays_so_wherever_it_goes() {
    let mut model = model();
    press(&mut model, &typed("jj"));
    assert_eq!(selected(&model).as_deref(), Some("web.2"));
    press(&mut model, &typed("sGkkk"));
    press(&mut model, &[Key::Enter]);
    assert_eq!((model.wish.sort, selected(&model).as_deref()), (Sort::Mem, Some("web.2")));
    press(&mut model, &typed("I"));
    assert_eq!(selected(&model).as_deref(), Some("web.2"));
    press(&mut model, &[Key::Tab]);
    assert_eq!((model.wish.sort, selected(&model).as_deref()), (Sort::Manifest, Some("web.2")));
    let mut without = trial::look(SECOND * 2);
    without.found.workers.remove(2);
    model.handle(Input::Looked(Box::new(without)));
    assert_eq!((model.selected, selected(&model)), (2, None), "whoever is in its place: a group");
}

#[test]
fn tab_folds_the_group_of_whoever_is_selected() {
    let mut model = model();
    press(&mut model, &[Key::End]);
    assert_eq!(selected(&model).as_deref(), Some("db"));
    press(&mut model, &[Key::Tab]);
    assert_eq!(model.id(), Some(Id::Group("back/store".into())));
    assert_eq!(model.lines.len(), 6);
    press(&mut model, &[Key::Enter]);
    assert_eq!(model.lines.len(), 7, "it is unfolded again");
    press(&mut model, &[Key::Home, Key::Tab]);
    assert_eq!(model.message.as_deref(), Some("it is in no group that could be folded"));
}

#[test]
fn instances_of_a_worker_fold_into_one_row_and_unfold_again() {
    let mut model = model();
    press(&mut model, &typed("jj-"));
    let row = model.worker().expect("the worker");
    assert_eq!(
        (selected(&model).as_deref(), row.folded.as_ref().map(|all| all.instances)),
        (Some("web"), Some(2))
    );
    assert_eq!((model.lines.len(), model.seen.len()), (6, 5));
    assert_eq!(
        press(&mut model, &typed("l")),
        [Order::Open(Subject::new(Kind::Logs, Some(("web".into(), 0))))]
    );
    press(&mut model, &typed("qr"));
    assert!(matches!(&model.mode, Mode::Confirm { title, .. } if title == "all 2 instances of web"));
    assert_eq!(press(&mut model, &typed("y")), [Order::Restart("web".into(), 0)]);
    press(&mut model, &typed("+"));
    assert_eq!((selected(&model).as_deref(), model.lines.len()), (Some("web.1"), 7));
    press(&mut model, &typed("g-"));
    assert_eq!(model.message.as_deref(), Some("it has one instance alone; Tab folds its group"));
    press(&mut model, &typed("j*"));
    assert_eq!((selected(&model).as_deref(), model.lines.len()), (Some("web"), 6));
    press(&mut model, &typed("*"));
    assert_eq!((selected(&model).as_deref(), model.lines.len()), (Some("web.1"), 7));
    press(&mut model, &typed("G-"));
    assert!(model.message.is_some());
    press(&mut model, &typed("k-"));
    assert_eq!((model.id(), model.lines.len()), (Some(Id::Group("back/store".into())), 6));
    press(&mut model, &typed("-+"));
    assert_eq!(model.lines.len(), 7, "what is folded stays so, and is unfolded again");
}

#[test]
fn actors_are_shown_of_whoever_is_selected_and_why_there_are_none() {
    let mut model = model();
    let shown = |model: &Model| match &model.mode {
        Mode::Page(page) => {
            page.lines.as_ref().map(|lines| lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    };
    assert_eq!(press(&mut model, &typed("ja")), [Order::Close], "the supervisor is asked for nothing");
    assert_eq!(shown(&model), None);
    model.handle(Input::Inside(Ok(Box::new(trial::inside(SECOND)))));
    let text = shown(&model).expect("it has come");
    assert!(text.contains("web.1/front#2") && !text.contains("web.2"), "{text}");
    model.handle(Input::Inside(Err(Silence { is_missing: true, why: "there is none; add one".into() })));
    assert_eq!(shown(&model).as_deref(), Some("there is none; add one"));
    assert!(!model.shows_inside());
    model.handle(Input::Inside(Err(Silence { is_missing: false, why: "it is stopped".into() })));
    assert!(model.shows_inside() && model.seen.iter().all(|worker| worker.inside.is_none()));
    press(&mut model, &typed("q-a"));
    model.handle(Input::Inside(Ok(Box::new(trial::inside(SECOND * 4)))));
    let text = shown(&model).expect("it has come");
    assert!(
        text.contains("web.1/front#2") && text.contains("web.2/front") && !text.contains("cache"),
        "{text}"
    );
}

#[test]
fn what_is_typed_is_looked_for_at_once_and_escape_forgets_it() {
    let mut model = model();
    press(&mut model, &typed("/webq"));
    assert_eq!((model.wish.filter.as_str(), model.lines.len()), ("webq", 0));
    press(&mut model, &[Key::Backspace, Key::Enter]);
    assert_eq!((model.lines.len(), matches!(model.mode, Mode::List)), (2, true));
    press(&mut model, &[Key::Escape]);
    assert_eq!(model.lines.len(), 7);
    press(&mut model, &typed("/web"));
    press(&mut model, &[Key::Escape]);
    assert_eq!(model.lines.len(), 7);
}

#[test]
fn a_page_takes_what_is_told_for_it_and_leads_back() {
    let mut model = model();
    press(&mut model, &typed("j"));
    let logs = Subject::new(Kind::Logs, Some(("web".into(), 1)));
    assert_eq!(press(&mut model, &typed("l")), [Order::Open(logs.clone())]);
    let text = |word: &str| Text { lines: vec![word.into()], goes_on: false };
    model.handle(Input::Told(Subject::new(Kind::Logs, None), text("of somebody else")));
    assert!(matches!(&model.mode, Mode::Page(page) if page.lines.is_none()));
    model.handle(Input::Told(logs, text("hello")));
    assert!(
        matches!(&model.mode, Mode::Page(page) if page.lines.as_ref().is_some_and(|all| all[0] == "hello"))
    );
    assert_eq!(press(&mut model, &typed("e")), [Order::Open(Subject::new(Kind::Events, None))]);
    assert_eq!(press(&mut model, &typed("q")), [Order::Close]);
    assert_eq!(press(&mut model, &typed("q")), [Order::Quit]);
}

#[test]
fn a_supervisor_that_goes_leaves_what_was_seen_and_comes_back() {
    let mut model = model();
    model.handle(Input::Lost { at: SECOND * 4, why: "nobody listens".into() });
    let gone = model.gone.clone().expect("it is gone");
    assert_eq!((gone.time, gone.why.as_str(), model.lines.len()), (SECOND * 3, "nobody listens", 7));
    model.handle(Input::Looked(Box::new(trial::look(SECOND * 5))));
    assert!(model.gone.is_none());
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        Just(Key::Up),
        Just(Key::Down),
        Just(Key::PageUp),
        Just(Key::PageDown),
        Just(Key::Home),
        Just(Key::End),
        Just(Key::Tab),
        Just(Key::Enter),
        Just(Key::Escape),
        Just(Key::Backspace),
        Just(Key::Left),
        Just(Key::Right),
        proptest::sample::select("jkgGlerdIqys/?a+-*webwebbackstore".chars().collect::<Vec<_>>())
            .prop_map(Key::Char),
    ]
}

/// A look at some of the workers.
fn some(mask: u8) -> Input {
    let mut look = trial::look(SECOND * 2);
    let mut at = 0;
    look.found.workers.retain(|_| {
        at += 1;
        mask >> at & 1 == 0
    });
    Input::Looked(Box::new(look))
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => key().prop_map(Input::Key),
        1 => (0_u16..30).prop_map(Input::Rows),
        2 => any::<u8>().prop_map(some),
        1 => (1_u64..9).prop_map(|at| Input::Inside(Ok(Box::new(trial::inside(SECOND * at as u32))))),
        1 => Just(()).prop_map(|()| Input::Lost { at: SECOND * 3, why: "gone".into() }),
    ]
}

proptest! {
    #[test]
    fn what_is_selected_is_always_on_the_screen(inputs in proptest::collection::vec(input(), 0..200)) {
        let mut model = model();
        for input in inputs {
            let told = format!("{input:?}");
            model.handle(input);
            prop_assert!(model.selected < model.lines.len().max(1), "after {told}");
            prop_assert_eq!(model.line().is_some(), !model.lines.is_empty());
            let end = model.first + model.list_rows().max(1);
            prop_assert!((model.first..end).contains(&model.selected), "after {}: {:?}", told, model);
            prop_assert!(model.first == 0 || end <= model.lines.len(), "room is left empty after {}", told);
            for line in &model.lines {
                prop_assert!(line.id(&model.workers).is_some(), "a line about nobody after {}", told);
            }
        }
    }
}
