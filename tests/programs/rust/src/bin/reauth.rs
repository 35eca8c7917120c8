// SPDX-License-Identifier: Apache-2.0
// reauth - an unmodified rdkafka crate, librdkafka linked in: an idempotent
// producer, and a consumer beside it, for some seconds.
//
//     reauth TOPIC SECONDS NAME=VALUE...
//
// Each record has to arrive once and in order, and no error may be told.
use std::env;
use std::process::exit;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext,
};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

struct Strict {
    delivered: Arc<AtomicI64>,
}

fn fail(what: String) -> ! {
    eprintln!("{}", what);
    exit(1)
}

impl ClientContext for Strict {
    fn error(&self, error: KafkaError, reason: &str) {
        fail(format!("{}: {}", error, reason));
    }
}

impl ConsumerContext for Strict {}

impl ProducerContext for Strict {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult, _: ()) {
        if let Err((error, _)) = result {
            fail(format!("delivery: {}", error));
        }
        self.delivered.fetch_add(1, Ordering::SeqCst);
    }
}

fn settings() -> ClientConfig {
    let mut config = ClientConfig::new();
    for arg in env::args().skip(3) {
        match arg.split_once('=') {
            Some((name, value)) => config.set(name, value),
            None => fail(format!("{}: not NAME=VALUE", arg)),
        };
    }
    config
}

fn strict() -> Strict {
    Strict { delivered: Arc::new(AtomicI64::new(0)) }
}

// Reads until `sent` records came, which is -1 while that isn't known.
fn consume(topic: &str, sent: &AtomicI64) {
    let consumer: BaseConsumer<Strict> = settings()
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .create_with_context(strict())
        .unwrap_or_else(|e| fail(format!("consumer: {}", e)));
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(0)).unwrap();
    consumer.assign(&list).unwrap();
    let mut next = 0;
    let mut last = Instant::now();
    while next != sent.load(Ordering::SeqCst) {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                let text = message.payload_view::<str>();
                if text != Some(Ok(&next.to_string())) {
                    fail(format!("record {:?} where {} should be", text, next));
                }
                next += 1;
                last = Instant::now();
            }
            Some(Err(error)) => fail(format!("consumer: {}", error)),
            None if last.elapsed() > Duration::from_secs(60) => {
                fail(format!("no record after {}", next))
            }
            None => (),
        }
    }
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let seconds = args[2].parse().unwrap();
    let context = strict();
    let delivered = context.delivered.clone();
    let producer: BaseProducer<Strict> = settings()
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .create_with_context(context)
        .unwrap_or_else(|e| fail(format!("producer: {}", e)));
    let sent = Arc::new(AtomicI64::new(-1));
    let (topic, until) = (args[1].clone(), sent.clone());
    let consumer = thread::spawn(move || consume(&topic, &until));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut n = 0;
    while Instant::now() < end {
        let text = n.to_string();
        producer
            .send(BaseRecord::<(), str>::to(&args[1]).payload(&text))
            .unwrap_or_else(|(e, _)| fail(format!("produce: {}", e)));
        n += 1;
        producer.poll(Duration::from_millis(2));
    }
    if let Err(error) = producer.flush(Duration::from_secs(30)) {
        fail(format!("flush: {}", error));
    }
    sent.store(n, Ordering::SeqCst);
    consumer.join().unwrap();
    let delivered = delivered.load(Ordering::SeqCst);
    if delivered != n {
        fail(format!("{} of {} delivered", delivered, n));
    }
    println!(
        "librdkafka {}: {} records, none lost or doubled, no error",
        rdkafka::util::get_rdkafka_version().1, n
    );
}
