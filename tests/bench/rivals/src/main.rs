//! The rivals as measured servers and clients: it takes the words that every peer
//! takes, and the benchmark starts it.

mod connect_peer;
mod volo_peer;

use bench::Error;
use bench::child::{Driving, Serving, another_program};
use bench::peer::Implementation;

use self::connect_peer::ConnectRust;
use self::volo_peer::Volo;

fn main() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((word, rest)) if word == "serve" => serve(&Serving::from_words(rest)?),
        Some((word, rest)) if word == "drive" => drive(&Driving::from_words(rest)?),
        _ => Err("the benchmark starts this program, with 'serve' or 'drive'".into()),
    }
}

fn serve(serving: &Serving) -> Result<(), Error> {
    match serving.implementation {
        Implementation::ConnectRust => serving.serve::<ConnectRust>(),
        Implementation::Volo => serving.serve::<Volo>(),
        other => Err(another_program(other)),
    }
}

fn drive(driving: &Driving) -> Result<(), Error> {
    match driving.implementation {
        Implementation::ConnectRust => driving.drive::<ConnectRust>(),
        Implementation::Volo => driving.drive::<Volo>(),
        other => Err(another_program(other)),
    }
}
