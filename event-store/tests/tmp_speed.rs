#![allow(clippy::unwrap_used, missing_docs, dead_code)]
#[path = "store/support.rs"]
mod support;
use support::*;
#[tokio::test(flavor = "multi_thread")]
async fn speed() {
    let (db, store) = fresh().await;
    for clients in [1usize, 16, 64] {
        let per = 6000 / clients.max(3);
        let t = std::time::Instant::now();
        let c0: i64 = sqlx::query_scalar("SELECT count(distinct xmin::text) from events").fetch_one(&db.pool).await.unwrap();
        let hs: Vec<_> = (0..clients).map(|_| { let s = store.clone(); tokio::spawn(async move { let o = user(); for _ in 0..per { s.execute(&Add(o, figure()), &by(o)).await.unwrap(); } }) }).collect();
        for h in hs { h.await.unwrap(); }
        let e = t.elapsed();
        let c1: i64 = sqlx::query_scalar("SELECT count(distinct xmin::text) from events").fetch_one(&db.pool).await.unwrap();
        println!("{clients}: {:.0}/s, batch {:.1}", (clients*per) as f64 / e.as_secs_f64(), (clients*per) as f64/(c1-c0) as f64);
    }
    let o = user();
    for _ in 0..20 { store.execute(&AddMany(o, 5000), &by(o)).await.unwrap(); }
    let t = std::time::Instant::now();
    use futures::StreamExt;
    let mut n = 0; let mut s = store.stream_all(Default::default());
    while let Some(c) = s.next().await { n += c.unwrap().len(); }
    println!("stream {n} events {:.0}/s", n as f64 / t.elapsed().as_secs_f64());
    for _ in 0..2 { let t = std::time::Instant::now();
    let s2 = open(&db.pool).await;
    let st = collection(&s2, o).await; println!("cold load v{} {:?}", st.1, t.elapsed());
    tokio::time::sleep(std::time::Duration::from_secs(3)).await; }
    let t = std::time::Instant::now();
    for _ in 0..200 { store.execute(&Add(o, figure()), &by(o)).await.unwrap(); }
    println!("warm on long {:?}", t.elapsed()/200);
}
